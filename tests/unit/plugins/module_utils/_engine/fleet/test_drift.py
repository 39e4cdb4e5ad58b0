# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.drift import drift

SEEN = {
    "document": {"name": "web1", "environment": {"PASSWORD": "old"}, "limits": {"memory": "64M"}},
    "live": {"state": "running", "limits": {"memory": "64M"}, "network": None},
}


def test_the_same_has_not_drifted():
    assert drift(SEEN, SEEN) == []
    assert drift(None, None) == []


def test_differences_say_where_and_what():
    live = {"state": "stopped", "limits": {}, "network": {"mode": "vnet"}}
    assert drift(SEEN, {**SEEN, "live": live}) == [
        "live.limits.memory: '64M' -> unset",
        "live.network: unset -> there",
        "live.state: 'running' -> 'stopped'",
    ]


def test_what_may_be_a_secret_is_not_told():
    other = {**SEEN["document"], "environment": {"PASSWORD": "new"}}
    assert drift(SEEN, {**SEEN, "document": other}) == ["document.environment.PASSWORD has changed"]


def test_a_jail_that_is_gone_or_new_is_told():
    assert drift(SEEN, None) == ["document: there -> unset", "live: there -> unset"]
    assert drift(None, SEEN) == ["document: unset -> there", "live: unset -> there"]


def test_only_so_much_is_told():
    lines = drift({}, {f"k{number}": number for number in range(9)})
    assert len(lines) == 5
    assert lines[-1] == "and 5 more"


def test_long_values_are_cut():
    assert len(drift({"a": "x" * 500}, {"a": None})[0]) < 90
