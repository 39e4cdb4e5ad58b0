# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked again, and what is not."""

from __future__ import annotations

import re
import time

import pytest


@pytest.fixture
def cached(fleet):
    """``cached(options)``: an inventory of two hosts with a cache in files."""
    fleet.host("node1", {"name": "web1"})
    fleet.host("node2", {"name": "db1"})
    where = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(fleet.directory / "cache"),
    }
    return lambda options=None, **request: fleet.read(
        {"hosts": ["node1", "node2"], **where, **(options or {})}, **request
    )


def test_a_second_run_asks_nobody(fleet, cached):
    first = cached()
    fleet.forget_calls()
    second = cached()
    assert fleet.calls() == []
    assert second.hosts == first.hosts
    assert second.groups == first.groups


def test_without_a_cache_every_run_asks(fleet, cached):
    for _unused in range(2):
        cached({"cache": False})
    assert fleet.calls() == ["node1", "node1", "node2", "node2"]


def test_a_host_that_has_failed_is_asked_again_and_no_other(fleet, cached):
    fleet.host("node2", script="exit 255")
    assert cached().names == ["web1"]
    fleet.host("node2", {"name": "db1"})
    fleet.forget_calls()
    assert cached().names == ["db1", "web1"]
    assert fleet.calls() == ["node2"]


def test_a_refresh_asks_everybody_and_is_remembered(fleet, cached):
    cached()
    fleet.host("node1", {"name": "web2"})
    assert cached(cache=False).names == ["db1", "web2"]
    fleet.forget_calls()
    assert cached().names == ["db1", "web2"]
    assert fleet.calls() == []


def test_a_refresh_forgets_the_jails_of_a_host_that_fails_now(fleet, cached):
    cached()
    fleet.host("node1", script="exit 255")
    assert cached(cache=False).names == ["db1"]
    assert cached().names == ["db1"]


def test_an_answer_is_as_old_as_it_is_whatever_else_was_written(fleet, cached):
    cached()
    for path in (fleet.directory / "cache").iterdir():
        if "web1" in path.read_text():
            # ansible-core 2.19 and newer put what a plugin keeps into a text.
            aged = re.sub(r"(asked_at\W+)\d+", lambda found: f"{found[1]}{time.time() - 100:.0f}", path.read_text())
            path.write_text(aged)
    fleet.forget_calls()
    assert cached({"cache_timeout": 200}).names == ["db1", "web1"]
    assert fleet.calls() == []
    cached({"cache_timeout": 90})
    assert fleet.calls() == ["node1"]


def test_other_filters_and_groups_need_no_other_answers(fleet, cached):
    cached()
    fleet.forget_calls()
    found = cached({"filters": [{"exclude": "jail_name == 'web1'"}], "group_by": ["host"], "states": ["running"]})
    assert found.names == ["db1"]
    assert found.groups["jail_host_node2"] == ["db1"]
    assert fleet.calls() == []


@pytest.mark.parametrize("entry", [{"name": "node1", "port": 2222}, {"name": "node1", "address": "192.0.2.9"}])
def test_a_host_that_is_reached_in_another_way_is_another_host(fleet, cached, entry):
    fleet.host("192.0.2.9", {"name": "web1"})
    cached()
    fleet.forget_calls()
    cached({"hosts": [entry, "node2"]})
    assert len(fleet.calls()) == 1


def test_a_new_password_is_no_new_host_and_is_not_kept(fleet, cached):
    fleet.host("node1", script='exec sh -c "$command"')
    fleet.program("sudo", '#!/bin/sh\nfor word; do :; done\nexec sh -c "$word"\n')
    fleet.program("fakectl", '#!/bin/sh\necho \'[{"name": "web1"}]\'\n')
    entry = {"name": "node1", "become": True}
    for password in ("hunter2", "correct horse"):
        with_password = {**entry, "vars": {"ansible_become_password": password}}
        found = cached({"hosts": [with_password], "jailctl": f"{fleet.bin}/fakectl"})
        assert found.names == ["web1"], found.warnings
    assert fleet.calls() == ["node1"]
    kept = "".join(path.name + path.read_text() for path in (fleet.directory / "cache").iterdir())
    assert "hunter2" not in kept


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"asked_at": "x"}', '{"asked_at": 9e99, "rows": []}'])
def test_a_damaged_cache_is_no_cache(fleet, cached, damage):
    cached()
    for path in (fleet.directory / "cache").iterdir():
        path.write_text(damage)
    fleet.forget_calls()
    assert cached().names == ["db1", "web1"]
    assert fleet.calls() == ["node1", "node2"]


def test_what_comes_from_a_cache_is_no_template_either(fleet, cached):
    fleet.host("node1", {"name": "web1", "labels": {"a": "{{ 6 * 7 }}"}})
    cached()
    found = cached(templates={"web1": ["{{ jail_labels.a }}"]})
    assert found.templated["web1"] == ["{{ 6 * 7 }}"]
