# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that are made now and carried out later, and only on a host that is still as it was."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.refusal import Refusal
from ansible_collections.hosting.jails.tests.integration.modules.fleets import (
    FLEET,
    PREFIX,
    actions,
    changed,
    document,
    done,
    fleet,
    jail,
    member,
    names,
    refused,
    states,
)

pytestmark = pytest.mark.usefixtures("no_jails")


@pytest.fixture
def plan(tmp_path: Path) -> str:
    return str(tmp_path / "fleet.plan")


def apply(plan: str, **parameters: Any) -> dict[str, Any]:
    return done(mode="apply", plan=plan, defaults=None, fleet="is in the plan", **parameters)


def test_a_plan_does_nothing_and_is_carried_out_later(plan: str) -> None:
    done(member("a", hostname="old"), member("gone"))
    wishes = [member("a", hostname="new"), member("b", 2)]
    told = {"apply": "restart", "purge": "absent", "purge_limit": "1"}
    planned = done(*wishes, mode="plan", plan=plan, **told)
    assert planned["plan"] == plan
    assert changed(planned) == ["a", "b", "gone"]
    assert (names(), document("a")["hostname"]) == (["a", "gone"], "old")
    status = os.stat(plan)
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o600)
    foreseen = apply(plan, check=True)
    made = apply(plan)
    assert actions(made) == actions(foreseen) == actions(planned)
    assert states(made) == {"a": "running", "b": "running", "gone": "absent"}
    assert jail("a").output("hostname") == "new\n"
    assert document("b")["labels"] == {"fleet": FLEET}
    assert not apply(plan)["changed"]


def test_check_mode_writes_no_plan(plan: str) -> None:
    assert changed(done(member("a"), mode="plan", plan=plan, check=True)) == ["a"]
    assert os.listdir(os.path.dirname(plan)) == []


def test_the_same_plan_is_written_once(plan: str) -> None:
    done(member("a"), mode="plan", plan=plan)
    first = os.stat(plan)
    done(member("a"), mode="plan", plan=plan)
    assert os.stat(plan).st_ino == first.st_ino


def test_a_host_that_has_drifted_is_left_alone_and_told_how(plan: str) -> None:
    done(member("a", 1), member("b", 2), member("c"))
    done(member("a", 1, labels={"x": "y"}), member("b", 2), member("c"), mode="plan", plan=plan)
    subprocess.run(["ip", "route", "del", "10.30.0.2/32"], check=True)
    jail("c").converge(hostname="other")
    with pytest.raises(Refusal) as refusal:
        fleet(mode="apply", plan=plan)
    found = {mistake.jail: str(mistake) for mistake in refusal.value.mistakes}
    assert sorted(found) == [f"{PREFIX}b", f"{PREFIX}c"]
    assert "live.network.addresses" in found[f"{PREFIX}b"]
    assert "document.hostname: unset -> 'other'" in found[f"{PREFIX}c"]
    assert all("plan again" in told for told in found.values())
    assert "x" not in document("a")["labels"]


def test_a_jail_that_is_purged_besides_is_drift(plan: str) -> None:
    done(member("a"), member("b"), member("c"))
    done(member("a"), member("b"), mode="plan", plan=plan, purge="absent", purge_limit="2")
    done(member("late"))
    assert "plan again" in str(refused(mode="apply", plan=plan))
    assert names() == ["a", "b", "c", "late"]


def test_a_plan_that_somebody_has_edited_is_refused(plan: str) -> None:
    done(member("a"), mode="plan", plan=plan)
    content = json.loads(Path(plan).read_text())
    content["seen"][f"{PREFIX}a"]["live"]["state"] = "running"
    content["fingerprint"] = "0" * 64
    Path(plan).write_text(json.dumps(content))
    assert refused(mode="apply", plan=plan)
    for damaged in ("", "[]", '{"format": 1}', '{"format": 99}'):
        Path(plan).write_text(damaged)
        with pytest.raises(EngineError, match="plan again"):
            apply(plan)
    assert names() == []


@pytest.mark.parametrize("how", ["owner", "mode", "link", "gone"])
def test_a_plan_that_somebody_else_may_have_written_is_refused(plan: str, how: str) -> None:
    done(member("a"), mode="plan", plan=plan)
    if how == "owner":
        os.chown(plan, 65534, 65534)
    elif how == "mode":
        os.chmod(plan, 0o666)
    elif how == "link":
        os.rename(plan, f"{plan}.real")
        os.symlink(f"{plan}.real", plan)
    else:
        os.unlink(plan)
    with pytest.raises(EngineError) as error:
        apply(plan)
    assert (error.value.path, names()) == ("plan", [])


def test_documents_in_a_plan_are_never_written_where_others_can_read_them(tmp_path: Path) -> None:
    """Nor into a file that somebody has put there before."""
    victim = tmp_path / ".fleet.plan.tmp"
    victim.touch(mode=0o666)
    with open(victim, encoding="utf-8") as spy:
        done(member("a", environment={"DB_PASSWORD": "hunter2"}), mode="plan", plan=str(tmp_path / "fleet.plan"))
        assert spy.read() == ""
