# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hosting.jails.plugins.module_utils._model.diff import diff
from ansible_collections.hosting.jails.plugins.module_utils._model.document import normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted, plan

STORED = normalise({"hostname": "a", "environment": {"DB_PASSWORD": "old", "LANG": "C"}}, jail="web1")


def shown(**given):
    return diff(plan(Wanted("web1", given, state="present"), STORED, Live(state="stopped")))


def test_a_change_shows_and_nothing_else_does():
    found = shown(hostname="b")
    assert found["after"].pop("actions") == ["document.write web1: hostname: 'a' -> 'b'"]
    assert found["before"] == {**found["after"], "hostname": "a"}


def test_no_change_shows_nothing():
    found = shown()
    assert found["before"] == found["after"]


def test_a_secret_that_changes_shows_that_it_does():
    found = shown(environment={"DB_PASSWORD": "new", "LANG": "C.UTF-8"})
    assert found["before"]["environment"] == {"DB_PASSWORD": "********", "LANG": "C"}
    assert found["after"]["environment"] == {"DB_PASSWORD": "******** (changed)", "LANG": "C.UTF-8"}
    assert "new" not in str(found)


def test_a_new_jail_and_a_removed_one_show_as_such():
    made = diff(plan(Wanted("web1", {"hostname": "a"}, state="present"), None, Live()))
    assert made["before"] == {"state": "absent"}
    assert made["after"]["state"] == "stopped"
    removed = diff(plan(Wanted("web1", state="absent"), STORED, Live(state="stopped")))
    assert removed["after"] == {"state": "absent", "actions": ["document.remove web1"]}
