# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dependencies within a fleet, and what becomes of jails that it does not name any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.tests.integration.modules.fleets import (
    DEFAULTS,
    PREFIX,
    SLEEP,
    actions,
    changed,
    document,
    done,
    failed,
    fleet,
    jail,
    member,
    names,
    refused,
    states,
)

pytestmark = pytest.mark.usefixtures("no_jails")


@pytest.fixture
def diary(tmp_path: Path) -> Iterator[Any]:
    """Gives the hooks that write down when a jail starts and stops, and what they have written."""
    path = tmp_path / "diary"

    def written() -> list[str]:
        lines = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    script = f'echo "$JAIL_NAME:$0" | cut -c{len(PREFIX) + 1}- >> {path}'
    written.hooks = [  # type: ignore[attr-defined]
        {"stage": stage, "command": ["/bin/sh", "-c", script, word]}
        for stage, word in (("poststart", "up"), ("poststop", "down"))
    ]
    yield written


def needs(*others: str) -> list[str]:
    return [f"{PREFIX}{name}" for name in others]


def test_jails_start_after_what_they_depend_on_and_stop_before_it(diary: Any) -> None:
    entries = [
        member("web", depends=needs("db", "cache"), hooks=diary.hooks),
        member("db", depends=needs("disk"), hooks=diary.hooks),
        member("cache", hooks=diary.hooks),
        member("disk", hooks=diary.hooks),
    ]
    done(*entries)
    up = diary()
    assert sorted(up) == ["cache:up", "db:up", "disk:up", "web:up"]
    assert up.index("disk:up") < up.index("db:up") < up.index("web:up") == 3
    done(*[{**entry, "state": "stopped"} for entry in entries])
    down = diary()
    assert down[0] == "web:down"
    assert down.index("db:down") < down.index("disk:down")
    done(*entries)
    diary()
    done(*[{**entry, "hostname": "new"} for entry in entries], apply="restart")
    both = diary()
    assert both[0] == "web:down"
    assert both[7] == "web:up"
    assert both.index("db:down") < both.index("disk:down") < both.index("disk:up") < both.index("db:up")


def test_what_depends_on_a_failed_jail_is_not_started_and_says_so() -> None:
    entries = [
        member("web", depends=needs("db")),
        member("proxy", depends=needs("web")),
        member("db", command=["sh", "-c", "exit 3"]),
        member("dns"),
    ]
    result = fleet(*entries)
    assert list(failed(result)) == ["web", "proxy", "db"]
    assert failed(result)["web"] == f"jail {PREFIX}web: not started: {PREFIX}db, which it depends on, failed"
    assert f"not started: {PREFIX}web" in failed(result)["proxy"]
    assert "status 3" in failed(result)["db"]
    assert states(result) == {"web": "stopped", "proxy": "stopped", "db": "failed", "dns": "running"}
    entries[2]["command"] = SLEEP
    assert changed(done(*entries)) == ["web", "proxy", "db"]


def test_what_a_jail_depends_on_is_started_first_though_the_task_is_not_about_it() -> None:
    jail("old").converge(state="stopped", command=SLEEP, rootfs=DEFAULTS["rootfs"])
    entries = [member("new", depends=needs("old", "there")), member("there", state="present")]
    result = done(*entries)
    assert states(result) == {"new": "running", "there": "running", "old": "running"}
    assert "labels" not in document("old")
    assert not done(*entries)["changed"]


def test_a_jail_that_is_to_run_cannot_need_one_that_is_to_be_stopped() -> None:
    mistakes = refused(member("web", depends=needs("db")), member("db", state="stopped"))
    assert list(mistakes) == ["jails[0].depends[0]"]
    assert names() == []


def test_purge_touches_its_own_fleet_alone() -> None:
    jail("nobodys").converge(state="started", command=SLEEP, rootfs=DEFAULTS["rootfs"])
    done(member("theirs"), fleet="another")
    done(member("a"), member("b"), member("c"))
    assert not done(member("a"), member("b"))["changed"]
    foreseen = done(member("a"), member("b"), purge="stopped", purge_limit="1", check=True)
    stopped = done(member("a"), member("b"), purge="stopped", purge_limit="1")
    assert actions(stopped) == actions(foreseen) == {"c": ["jail.stop"]}
    assert stopped["summary"]["purged"] == 1
    assert jail("c").state == "stopped"
    assert not done(member("a"), member("b"), purge="stopped", purge_limit="0")["changed"]
    gone = done(member("a"), member("b"), purge="absent")
    assert states(gone) == {"a": "running", "b": "running", "c": "absent"}
    assert names() == ["a", "b", "nobodys", "theirs"]
    assert not done(member("a"), member("b"), purge="absent")["changed"]
    assert not os.path.exists(places.lock(f"{PREFIX}c"))


def test_a_purge_of_too_many_is_refused_and_nothing_else_is_done_either() -> None:
    done(*[member(f"p{number}") for number in range(8)])
    kept = [member(f"p{number}", limits={"pids": 9}) for number in range(5)]
    for limit in ("25%", "2"):
        mistakes = refused(*kept, purge="absent", purge_limit=limit)
        assert list(mistakes) == ["purge"]
        assert limit in mistakes["purge"]
    assert document("p0")["limits"] == DEFAULTS["limits"]
    assert len(names()) == 8
    assert done(*kept, purge="absent", purge_limit="3")["summary"]["purged"] == 3
    assert len(names()) == 5


def test_an_empty_list_is_no_order_to_remove_everything() -> None:
    done(member("a"), member("b"))
    assert list(refused(purge="absent", purge_limit="100%")) == ["jails"]
    assert names() == ["a", "b"]
    gone = done(purge="absent", purge_limit="100%", allow_empty=True)
    assert (gone["summary"]["purged"], names()) == (2, [])


def test_a_purge_removes_jails_before_what_they_depend_on(diary: Any) -> None:
    done(
        member("web", depends=needs("db"), hooks=diary.hooks),
        member("db", hooks=diary.hooks),
        member("kept"),
    )
    diary()
    done(member("kept"), purge="absent", purge_limit="2")
    assert diary() == ["web:down", "db:down"]


@pytest.mark.parametrize("purge", ["stopped", "absent"])
def test_what_a_jail_needs_is_not_purged(purge: str) -> None:
    done(member("web", depends=needs("db")), member("db"))
    mistakes = refused(member("web", depends=needs("db")), purge=purge)
    assert list(mistakes) == ["jails[0].depends[0]"]
    assert jail("db").state == "running"
