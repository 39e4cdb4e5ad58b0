# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generations of templates and the jails on them, whoever is killed at whatever moment."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import (
    bases,
    clones,
    leftovers,
    manifests,
    overlay,
    roots,
    templates,
)
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, trees, write_barriers
from ansible_collections.hosting.jails.tests.integration.engine.deaths import die, killed
from ansible_collections.hosting.jails.tests.integration.jails import wait_until

pytestmark = pytest.mark.usefixtures("private_state")

UID_BASE = 600_000
TEMPLATES = "/var/lib/jails/templates"
ROOTS = "/var/lib/jails/roots"
EMPTY = {"empty": True}


def write_archive(path: str, **content: str) -> dict[str, Any]:
    with tarfile.open(path, "w") as tar:
        for name, text in content.items():
            info = tarfile.TarInfo(f"etc/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return {"archive": {"path": path}}


@pytest.fixture
def source() -> dict[str, Any]:
    return write_archive("/run/motd.tar", motd="one")


def tree(directory: str) -> list[str]:
    """Everything in a directory, generations by their place and not by their name."""
    known = {manifest.generation: f"G{number}" for number, manifest in enumerate(templates.generations("debian"))}
    found = []
    for parent, directories, names in os.walk(directory):
        for name in directories + names:
            path = os.path.relpath(f"{parent}/{name}", directory)
            for identity, place in known.items():
                path = path.replace(identity, place)
            found.append(path)
    return sorted(found)


def mount_points() -> set[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {line.split()[4] for line in file}


def test_the_same_source_builds_one_generation(source: dict[str, Any]) -> None:
    first = templates.ensure("debian", source)
    assert templates.ensure("debian", source) == first
    assert templates.current("debian") == first
    assert templates.names() == ["debian"]
    assert files.read_text(f"{templates.rootfs(first)}/etc/motd") == "one"
    assert str(first.facts["checksum"]).startswith("sha256:")


def test_a_changed_source_builds_another_generation_and_the_unused_one_goes(source: dict[str, Any]) -> None:
    first = templates.ensure("debian", source)
    second = templates.ensure("debian", EMPTY)
    assert first.generation != second.generation
    assert templates.generations("debian") == [second]


def test_a_jail_keeps_the_generation_that_it_was_cloned_from(source: dict[str, Any]) -> None:
    first = templates.ensure("debian", source)
    manifest = roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    second = templates.ensure("debian", EMPTY)
    assert roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE) == manifest
    assert roots.overlay_layers("web1").lower == templates.rootfs(first)
    assert templates.generations("debian") == [first, second]
    assert roots.is_stale(manifest)
    assert roots.remove("web1")
    assert templates.generations("debian") == [second]


def test_a_template_in_use_is_not_removed_and_the_jails_are_named(source: dict[str, Any]) -> None:
    templates.ensure("debian", source)
    for jail in ("web2", "web1"):
        roots.prepare(jail, {"template": "debian"}, uid_base=UID_BASE)
    with pytest.raises(EngineError, match="template debian: it is in use by jails web1, web2"):
        templates.remove("debian")
    for jail in ("web2", "web1"):
        roots.remove(jail)
    assert templates.remove("debian")
    assert not templates.remove("debian")
    assert tree("/var/lib/jails") == ["roots", "templates"]


def test_a_template_that_cannot_be_built_leaves_nothing() -> None:
    with pytest.raises(EngineError, match="template debian: .*/run/nothing.tar cannot be opened") as caught:
        templates.ensure("debian", {"archive": {"path": "/run/nothing.tar"}})
    assert caught.value.path == "source.archive.path"
    assert tree("/var/lib/jails") == ["templates"]


def test_a_build_that_fails_leaves_the_present_generation_alone(source: dict[str, Any]) -> None:
    first = templates.ensure("debian", source)
    with pytest.raises(EngineError):
        templates.ensure("debian", {"archive": {"path": "/run/nothing.tar"}})
    assert templates.current("debian") == first


MOMENTS: dict[str, tuple[Any, str]] = {
    "before anything is unpacked": (bases, "fill"),
    "before the manifest is written": (manifests, "write"),
    "before the tree is on disk": (write_barriers, "sync_file_system"),
    "before it is renamed into place": (os, "rename"),
    "before it becomes the current generation": (templates, "_publish"),
    "before the old generation is removed": (templates, "prune"),
    "in the middle of the removal of the old generation": (trees, "remove_tree"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_builder_killed_leaves_nothing_after_the_next_run(
    moment: str, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    templates.ensure("debian", EMPTY)
    mounts = mount_points()
    with monkeypatch.context() as patch:
        patch.setattr(*MOMENTS[moment], die)
        killed(lambda: templates.ensure("debian", source))
    assert templates.current("debian") is not None
    manifest = templates.ensure("debian", source)
    assert templates.current("debian") == manifest
    assert files.read_text(f"{templates.rootfs(manifest)}/etc/motd") == "one"
    templates.settle("debian")
    assert tree(f"{TEMPLATES}/debian") == [
        "G0",
        "G0/manifest.json",
        "G0/rootfs",
        "G0/rootfs/etc",
        "G0/rootfs/etc/machine-id",
        "G0/rootfs/etc/motd",
        "current",
    ]
    assert mount_points() <= mounts


def test_a_generation_that_a_killed_builder_had_finished_is_taken(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", lambda path: die() if path.endswith("/debian") else None)
        killed(lambda: templates.ensure("debian", source))
    assert templates.current("debian") is None
    (finished,) = templates.generations("debian")
    assert templates.ensure("debian", source) == finished


@contextlib.contextmanager
def somebody_building(monkeypatch: pytest.MonkeyPatch, source: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """A process that is about to build the template debian, and a descriptor: it goes on when that is closed."""
    fill = bases.fill
    waiting, go = os.pipe()

    def slow(*arguments: Any, **keywords: Any) -> Any:
        os.close(go)
        os.read(waiting, 1)
        return fill(*arguments, **keywords)

    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(bases, "fill", slow)
        templates.ensure("debian", source)
        os._exit(0)
    os.close(waiting)
    wait_until(lambda: any(name.startswith(".partial") for name in tree(TEMPLATES + "/debian")))
    try:
        yield pid, go
    finally:
        with contextlib.suppress(OSError):
            os.close(go)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_of_two_builders_one_waits_and_finds_the_work_done(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with somebody_building(monkeypatch, source) as (_unused, go):
        threading.Timer(0.3, os.close, [go]).start()
        manifest = templates.ensure("debian", source)
    assert templates.generations("debian") == [manifest]


def test_a_builder_that_must_not_wait_says_busy(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with somebody_building(monkeypatch, source), pytest.raises(EngineError, match="somebody else is building it"):
        templates.ensure("debian", source, patience=0.05)


def test_a_killed_builder_keeps_nobody_waiting(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with somebody_building(monkeypatch, source) as (pid, _unused):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        templates.ensure("debian", source, patience=1)


def test_a_full_file_system_is_named_and_keeps_nothing() -> None:
    source = write_archive("/run/big.tar", big="x" * (20 << 20))
    templates.names()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", "/var/lib/jails"], check=True)
    with pytest.raises(EngineError, match="the file system on /var/lib/jails is full"):
        templates.ensure("debian", source)
    assert tree("/var/lib/jails") == ["templates"]
    with pytest.raises(EngineError, match="jail web1: .*the file system on /var/lib/jails is full"):
        roots.prepare("web1", source, uid_base=UID_BASE)
    assert tree(ROOTS) == []


def test_a_damaged_manifest_is_an_error_with_its_path(source: dict[str, Any]) -> None:
    manifest = templates.ensure("debian", source)
    path = f"{TEMPLATES}/debian/{manifest.generation}/manifest.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write("{")
    with pytest.raises(EngineError, match=path):
        templates.current("debian")


def test_the_upper_layer_belongs_to_the_jails_root_and_has_the_mode_of_the_base() -> None:
    templates.ensure("debian", EMPTY)
    roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    status = os.stat(roots.overlay_layers("web1").upper)
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (UID_BASE, UID_BASE, 0o755)


def test_the_layers_can_be_mounted(source: dict[str, Any]) -> None:
    templates.ensure("debian", source)
    roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    layers = roots.overlay_layers("web1")
    os.mkdir("/run/jails/root")
    options = f"lowerdir={layers.lower},upperdir={layers.upper},workdir={layers.work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, "/run/jails/root"], check=True)
    with open("/run/jails/root/etc/motd", "w", encoding="utf-8") as file:
        file.write("changed")
    assert files.read_text(f"{layers.lower}/etc/motd") == "one"
    described = roots.describe("web1")
    assert described
    assert described["used"] > 0


def test_reset_throws_every_change_away_and_moves_to_the_newest_generation(source: dict[str, Any]) -> None:
    templates.ensure("debian", source)
    roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    with open(f"{roots.overlay_layers('web1').upper}/changed", "w", encoding="utf-8"):
        pass
    roots.reset("web1", {"template": "debian"}, uid_base=UID_BASE)
    assert os.listdir(roots.overlay_layers("web1").upper) == []
    newest = templates.ensure("debian", EMPTY)
    assert roots.reset("web1", {"template": "debian"}, uid_base=UID_BASE).generation == newest.generation
    assert templates.generations("debian") == [newest]
    assert sorted(os.listdir(f"{ROOTS}/web1")) == ["rootfs.json", "upper", "work"]


def test_a_reset_killed_half_way_is_completed_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    templates.ensure("debian", EMPTY)
    roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    with open(f"{roots.overlay_layers('web1').upper}/changed", "w", encoding="utf-8"):
        pass
    with monkeypatch.context() as patch:
        patch.setattr(trees, "remove_tree", die)
        killed(lambda: roots.reset("web1", {"template": "debian"}, uid_base=UID_BASE))
    assert os.listdir(roots.overlay_layers("web1").upper) == []
    roots.reset("web1", {"template": "debian"}, uid_base=UID_BASE)
    assert sorted(os.listdir(f"{ROOTS}/web1")) == ["rootfs.json", "upper", "work"]


@pytest.mark.parametrize("moment", [(manifests, "write"), (overlay, "make_layers"), (leftovers, "discard")])
def test_a_clone_killed_half_way_leaves_nothing_after_the_next_run(
    moment: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    templates.ensure("debian", EMPTY)
    with monkeypatch.context() as patch:
        patch.setattr(*moment, die)
        killed(lambda: roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE))
    assert roots.read("web1") is None
    roots.prepare("web1", {"template": "debian"}, uid_base=UID_BASE)
    assert os.listdir(ROOTS) == ["web1"]


def test_roots_made_together_are_those_that_each_would_have_been(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    template, damaged = {"template": "debian"}, f"{ROOTS}/web3/rootfs.json"
    generation = templates.ensure("debian", source)
    os.makedirs(f"{ROOTS}/.partial.web1.0123abcd/upper")
    os.makedirs(f"{ROOTS}/web3")
    files.write_atomic(damaged, "damaged")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    wanted = {f"web{number}": (template, UID_BASE + number) for number in (1, 2, 3)}
    outcome = clones.make_all({**wanted, "web4": ({"template": "nothing"}, UID_BASE)})
    assert len(synced) == 1
    assert (outcome["web1"], outcome["web2"]) == (None, None)
    assert "damaged" in str(outcome["web3"])
    assert "there is no template nothing" in str(outcome["web4"])
    assert sorted(os.listdir(ROOTS)) == ["web1", "web2", "web3"]
    for jail, (_unused, uid_base) in list(wanted.items())[:2]:
        made = roots.read(jail)
        assert made and (made.generation, made.uid_base) == (generation.generation, uid_base)
        assert roots.prepare(jail, template, uid_base=uid_base) == made
        assert os.stat(roots.overlay_layers(jail).upper).st_uid == uid_base
    assert clones.make_all(wanted).keys() == {"web3"}


def test_roots_made_together_by_who_is_killed_are_swept_by_the_next(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    templates.ensure("debian", source)
    wanted = {f"web{number}": ({"template": "debian"}, UID_BASE) for number in (1, 2)}
    with monkeypatch.context() as patch:
        patch.setattr(write_barriers, "sync_file_system", die)
        killed(lambda: clones.make_all(wanted))
    assert len(os.listdir(ROOTS)) == 2
    assert [roots.read(jail) for jail in wanted] == [None, None]
    assert clones.make_all(wanted) == {"web1": None, "web2": None}
    assert sorted(os.listdir(ROOTS)) == ["web1", "web2"]


def test_a_jail_of_its_own_archive_keeps_the_identity_in_it() -> None:
    source = write_archive("/run/own.tar", **{"machine-id": "0123"})
    manifest = roots.prepare("web1", source, uid_base=UID_BASE)
    assert files.read_text(f"{roots.lower_directory(manifest)}/etc/machine-id") == "0123"
    assert roots.overlay_layers("web1").lower == f"{ROOTS}/web1/base/rootfs"
    assert roots.remove("web1")
    assert not roots.remove("web1")
    assert os.listdir(ROOTS) == []


def test_a_root_is_not_silently_made_from_something_else(source: dict[str, Any]) -> None:
    roots.prepare("web1", EMPTY, uid_base=UID_BASE)
    with pytest.raises(EngineError, match="another source") as caught:
        roots.prepare("web1", source, uid_base=UID_BASE)
    assert caught.value.path == "rootfs.source"
    with pytest.raises(EngineError, match="belong to ids from 600000"):
        roots.prepare("web1", EMPTY, uid_base=UID_BASE + 65536)
    assert roots.reset("web1", source, uid_base=UID_BASE).source == source


def test_a_missing_template_is_named_with_those_that_there_are() -> None:
    templates.ensure("debian", EMPTY)
    with pytest.raises(EngineError, match="there is no template ubuntu; .*known are debian") as caught:
        roots.prepare("web1", {"template": "ubuntu"}, uid_base=UID_BASE)
    assert caught.value.path == "rootfs.source.template"
    with pytest.raises(EngineError, match="there is no template debain; .*did you mean debian"):
        roots.prepare("web1", {"template": "debain"}, uid_base=UID_BASE)
    assert os.listdir(ROOTS) == []


def test_a_file_system_that_cannot_hold_an_upper_layer_is_refused_by_name() -> None:
    os.makedirs("/run/jails/lower/roots")
    subprocess.run(
        "mkdir /run/jails/u /run/jails/w && mount -t overlay -o lowerdir=/run/jails/lower,upperdir=/run/jails/u,"
        "workdir=/run/jails/w overlay /var/lib/jails",
        shell=True,
        check=True,
    )
    with pytest.raises(EngineError, match="/var/lib/jails is of type overlay"):
        roots.prepare("web1", EMPTY, uid_base=UID_BASE)
    assert os.listdir(ROOTS) == []


def test_a_tree_deeper_than_any_path_is_removed() -> None:
    roots.prepare("web1", EMPTY, uid_base=UID_BASE)
    home = os.open(".", os.O_RDONLY)
    os.chdir(roots.overlay_layers("web1").upper)
    for _unused in range(3000):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(home)
    described = roots.describe("web1")
    assert described
    assert described["used"] >= 0
    assert roots.remove("web1")
    assert os.listdir(ROOTS) == []
