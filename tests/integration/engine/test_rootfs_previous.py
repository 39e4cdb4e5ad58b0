# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back from a new root file system, and from a new generation of a template."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import (
    previous,
    roots,
    template_task,
    templates,
)
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs.manifests import TemplateManifest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import trees
from ansible_collections.hosting.jails.tests.integration.engine.deaths import die, killed

pytestmark = pytest.mark.usefixtures("private_state")

UID_BASE = 600_000
ROOTS = "/var/lib/jails/roots"
CLONE = {"template": "debian"}


def build(motd: str) -> TemplateManifest:
    """A new generation that differs from the others in its motd."""
    path = f"/run/{motd}.tar"
    write_archive(path, motd)
    return templates.ensure("debian", {"archive": {"path": path}})


def write_archive(path: str, motd: str) -> None:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("etc/motd")
        info.size = len(motd)
        tar.addfile(info, io.BytesIO(motd.encode()))


def write(jail: str, name: str) -> None:
    with open(f"{roots.overlay_layers(jail).upper}/{name}", "w", encoding="utf-8"):
        pass


def changes(jail: str) -> list[str]:
    return os.listdir(roots.overlay_layers(jail).upper)


def reset(*, keep: bool) -> str:
    return roots.reset("web1", CLONE, uid_base=UID_BASE, keep=keep).generation


@pytest.fixture
def old() -> str:
    """The generation that jail web1 stands on, with a file of its own over it."""
    generation = build("old").generation
    roots.prepare("web1", CLONE, uid_base=UID_BASE)
    write("web1", "precious")
    return generation


def test_what_a_reset_keeps_comes_back_with_its_changes_and_its_generation(old: str) -> None:
    new = build("new").generation
    assert reset(keep=True) == new
    assert changes("web1") == []
    described = roots.describe("web1")
    assert described
    assert described["previous"]["generation"] == old
    assert [each.generation for each in templates.generations("debian")] == [old, new]
    roots.bring_back("web1")
    assert changes("web1") == ["precious"]
    manifest = roots.read("web1")
    assert manifest
    assert manifest.generation == old
    assert os.listdir(ROOTS) == ["web1"]
    with pytest.raises(EngineError, match="no earlier root file system is kept"):
        roots.bring_back("web1")


def test_a_reset_on_the_same_generation_can_be_undone_too(old: str) -> None:
    assert reset(keep=True) == old
    assert changes("web1") == []
    roots.bring_back("web1")
    assert changes("web1") == ["precious"]


def test_the_way_back_is_given_up_with_the_generation_that_only_it_stood_on(old: str) -> None:
    new = build("new").generation
    reset(keep=True)
    roots.forget_previous("web1")
    assert previous.read("web1") is None
    assert [each.generation for each in templates.generations("debian")] == [new]
    assert os.listdir(ROOTS) == ["web1"]


def test_a_reset_that_keeps_nothing_leaves_no_way_back_that_skips_it(old: str) -> None:
    build("new")
    reset(keep=True)
    write("web1", "newer")
    reset(keep=False)
    assert previous.read("web1") is None
    assert os.listdir(ROOTS) == ["web1"]


def test_only_one_root_is_kept(old: str) -> None:
    reset(keep=True)
    write("web1", "second")
    reset(keep=True)
    roots.bring_back("web1")
    assert changes("web1") == ["second"]
    assert os.listdir(ROOTS) == ["web1"]


def test_a_template_under_a_kept_root_stays(old: str) -> None:
    roots.reset("web1", CLONE, uid_base=UID_BASE, keep=True)
    roots.reset("web1", {"empty": True}, uid_base=UID_BASE, keep=True)
    assert templates.users("debian") == ["web1"]
    with pytest.raises(EngineError, match="in use by jail web1"):
        templates.remove("debian")
    roots.remove("web1")
    assert templates.users("debian") == []
    assert os.listdir(ROOTS) == []


@pytest.mark.parametrize("moment", ["before it is kept", "before the new one is in place"])
def test_a_reset_that_is_killed_keeps_what_it_would_have_kept(
    moment: str, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("new")
    set_aside = previous.set_aside
    with monkeypatch.context() as patch:
        patch.setattr(
            previous, "set_aside", die if moment == "before it is kept" else lambda jail: [set_aside(jail), die()]
        )
        killed(lambda: reset(keep=True))
    if roots.read("web1"):
        reset(keep=True)
    else:
        roots.prepare("web1", CLONE, uid_base=UID_BASE)
    assert changes("web1") == []
    roots.bring_back("web1")
    assert changes("web1") == ["precious"]
    assert os.listdir(ROOTS) == ["web1"]


def test_a_way_back_that_is_killed_is_gone_to_its_end_by_the_next_run(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("new")
    reset(keep=True)
    with monkeypatch.context() as patch:
        patch.setattr(previous, "_rename", die)
        killed(lambda: roots.bring_back("web1"))
    roots.bring_back("web1")
    assert changes("web1") == ["precious"]
    assert os.listdir(ROOTS) == ["web1"]


def test_an_earlier_generation_is_current_again_and_the_bad_one_goes(old: str) -> None:
    build("new")
    templates.switch("debian", old)
    assert [each.generation for each in templates.generations("debian")] == [old]
    described = templates.describe("debian")
    assert described
    assert described["generation"] == old


def test_a_withdrawn_generation_on_which_jails_stand_is_not_taken_up_again(old: str) -> None:
    bad = build("new").generation
    roots.prepare("web2", CLONE, uid_base=UID_BASE)
    templates.switch("debian", old)
    rebuilt = build("new").generation
    assert rebuilt not in (bad, old)
    templates.switch("debian", bad)
    assert build("new").generation == bad


def of_template(motd: str, state: str, *, check: bool = False) -> tuple[str, list[str]]:
    """What a task of jail_rootfs leaves current, and which kinds of steps that takes."""
    source = {"archive": {"path": f"/run/{motd}.tar"}}
    result = template_task.converge("debian", state=state, source=source, check=check)
    return result["template"]["generation"], [line.split()[0] for line in result["actions"]]


@pytest.mark.parametrize("state", ["present", "latest"])
def test_a_task_goes_on_with_a_generation_that_was_gone_back_from_and_is_in_use(old: str, state: str) -> None:
    roots.prepare("web2", CLONE, uid_base=UID_BASE + 65536)
    new = build("new").generation
    reset(keep=True)
    templates.switch("debian", old)
    assert of_template("new", state, check=True) == (new, ["template.switch"])
    described = templates.describe("debian")
    assert described
    assert described["generation"] == old
    assert of_template("new", state) == (new, ["template.switch"])
    assert of_template("new", state) == (new, [])
    manifest = roots.read("web1")
    assert manifest
    assert not roots.is_stale(manifest)


def test_a_source_that_has_changed_since_is_built(old: str) -> None:
    roots.prepare("web2", CLONE, uid_base=UID_BASE + 65536)
    bad = build("new").generation
    reset(keep=True)
    templates.switch("debian", old)
    write_archive("/run/new.tar", "mended")
    mended, steps = of_template("new", "latest")
    assert steps == ["template.build"]
    assert mended not in (old, bad)


def test_a_generation_that_all_jails_were_taken_back_from_is_built_again(old: str) -> None:
    bad = build("new").generation
    reset(keep=True)
    templates.switch("debian", old)
    reset(keep=True)
    assert previous.on_template("debian") == {"web1": bad}
    rebuilt, steps = of_template("new", "latest")
    assert steps == ["template.build"]
    assert rebuilt != bad


def test_one_that_no_jail_stands_on_is_taken_up_again_if_it_was_to_stay(old: str) -> None:
    new = build("new").generation
    templates.switch("debian", old, keep_newer=True)
    templates.settle("debian")
    assert build("other").generation not in (new, old)
    assert [each.generation for each in templates.generations("debian")][0] == old, "a newer one makes it useless"
    templates.switch("debian", old)
    new = build("new").generation
    templates.switch("debian", old, keep_newer=True)
    assert of_template("new", "latest") == (new, ["template.switch"])
    templates.switch("debian", old)
    assert [each.generation for each in templates.generations("debian")] == [old]


def test_a_generation_that_is_not_there_is_refused_with_those_that_are(old: str) -> None:
    with pytest.raises(EngineError, match=f"there is no generation 19700101; there are {old}"):
        templates.switch("debian", "19700101")


@pytest.mark.parametrize("work", [roots.remove, roots.forget_previous])
@pytest.mark.parametrize("moment", [(trees, "remove_tree"), (templates, "prune")])
def test_what_a_killed_removal_has_left_goes_with_the_next(
    old: str,
    work: Callable[[str], object],
    moment: tuple[object, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build("new")
    reset(keep=True)
    newest = build("newest")
    with monkeypatch.context() as patch:
        patch.setattr(*moment, die)
        killed(lambda: work("web1"))
    roots.remove("web1")
    assert os.listdir(ROOTS) == []
    assert templates.generations("debian") == [newest]


def test_a_reset_that_is_repeated_because_it_was_killed_keeps_what_was_kept(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(templates, "prune", die)
        killed(lambda: reset(keep=True))
    assert changes("web1") == []
    reset(keep=True)
    write("web1", "worthless")
    roots.bring_back("web1")
    assert changes("web1") == ["precious"]
