# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the connection plugin: core's, of whatever release, and its own."""

from __future__ import annotations

from typing import Any

import yaml
from ansible.plugins.connection import ssh
from ansible_collections.hosting.jails.plugins.connection import jail
from ansible_collections.hosting.jails.plugins.doc_fragments._ssh import ModuleDocFragment

CORE: dict[str, Any] = yaml.safe_load(ssh.DOCUMENTATION)["options"]
TAKEN_OVER: dict[str, Any] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
OWN: dict[str, Any] = yaml.safe_load(jail.DOCUMENTATION)["options"]


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def test_every_option_of_core_is_one() -> None:
    assert set(TAKEN_OVER) == set(CORE)


def test_releases_of_core_are_not_taken_for_ours() -> None:
    assert "version_added" in _keys(CORE)
    assert not {"version_added", "deprecated"} & _keys(TAKEN_OVER)


def test_an_option_of_core_keeps_its_sources() -> None:
    """Those of the environment, of ansible.cfg and of the inventory, but for the host's address."""
    for name, option in CORE.items():
        for kind in ("env", "ini", "vars", "cli", "keyword"):
            if (name, kind) == ("host", "vars"):
                continue
            keys = [(entry.get("name"), entry.get("section"), entry.get("key")) for entry in option.get(kind, [])]
            taken = TAKEN_OVER[name].get(kind, [])
            assert [(entry.get("name"), entry.get("section"), entry.get("key")) for entry in taken] == keys, name


def test_what_is_changed_of_cores_options_is_the_host_and_a_description() -> None:
    assert {name for name in OWN if name in CORE} == {"host", "remote_user"}
    assert set(OWN["remote_user"]) == {"description"}


def test_the_name_of_a_jail_is_not_the_name_of_a_host() -> None:
    assert "inventory_hostname" not in [entry["name"] for entry in OWN["host"]["vars"]]
    assert [entry["name"] for entry in OWN["jail_name"]["vars"]] == ["inventory_hostname", "ansible_jail_name"]


def test_synchronize_does_not_take_it_for_ssh() -> None:
    """It would have rsync write on the host."""
    assert jail.Connection.transport == "hosting.jails.jail"
