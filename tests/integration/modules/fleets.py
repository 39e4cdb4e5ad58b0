# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of jail_fleet without Ansible, on jails whose names and addresses are these tests' own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import places, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet import converge as engine
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.refusal import Refusal
from ansible_collections.hosting.jails.tests.integration import jails

PREFIX = "fleet-"
TEMPLATE = f"{PREFIX}debian"
FLEET = f"{PREFIX}test"
SLEEP = ["sleep", "1000"]
DEFAULTS = {
    "rootfs": {"source": {"template": TEMPLATE}},
    "command": SLEEP,
    "limits": {"memory": "64M", "pids": 50},
    "stop": {"timeout": 3},
}
_DEFAULT_PARAMETERS = {
    "defaults": DEFAULTS,
    "fleet": FLEET,
    "purge": "none",
    "purge_limit": "25%",
    "allow_empty": False,
    "parallel": None,
    "apply": "live",
    "mode": "converge",
    "plan": None,
    "verbose_results": True,
}


def vnet(number: int) -> dict[str, Any]:
    """A network with an address of each family."""
    return {"mode": "vnet", "addresses": [f"10.30.0.{number}/32", f"fd00:30::{number}/128"]}


def member(name: str, number: int = 0, **options: Any) -> dict[str, Any]:
    """An entry of a task's list; with a number it gets a network."""
    network = {"ip": vnet(number)} if number else {}
    return {"name": f"{PREFIX}{name}", **network, **options}


def fleet(*entries: dict[str, Any], check: bool = False, diff: bool = False, **parameters: Any) -> dict[str, Any]:
    """The result of a task with these jails. Refusal: nothing was done."""
    whole = {**_DEFAULT_PARAMETERS, "jails": list(entries), **parameters}
    return engine.converge(whole, check=check, with_diff=diff)


def done(*entries: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """The result of a task in which nothing fails."""
    result = fleet(*entries, **parameters)
    assert not result["failed"], result["msg"]
    return result


def refused(*entries: dict[str, Any], **parameters: Any) -> dict[str, str]:
    """The mistakes of a task of which nothing is done, by their paths."""
    try:
        result = fleet(*entries, **parameters)
    except Refusal as refusal:
        return {mistake.path: f"{mistake.message}; {mistake.remedy}" for mistake in refusal.mistakes}
    raise AssertionError(result)


def changed(result: dict[str, Any]) -> list[str]:
    """Short names of the jails to which something was done, in the order of the rows."""
    return [_short(row) for row in result["jails"] if row["changed"]]


def failed(result: dict[str, Any]) -> dict[str, str]:
    """Why jails have failed, by their short names."""
    return {_short(row): row["msg"] for row in result["jails"] if row["failed"]}


def states(result: dict[str, Any]) -> dict[str, str]:
    """The states of all jails of a result, by their short names."""
    return {_short(row): row["state"] for row in result["jails"]}


def actions(result: dict[str, Any]) -> dict[str, list[str]]:
    """Kinds of what was done, by short names."""
    return {_short(row): [line.split()[0] for line in row["actions"]] for row in result["jails"] if row.get("actions")}


def _short(row: dict[str, Any]) -> str:
    return str(row["name"][len(PREFIX) :])


def jail(name: str) -> jails.Jail:
    return jails.Jail(f"{PREFIX}{name}")


def names() -> list[str]:
    """Short names of all jails of these tests that have a document."""
    return [name[len(PREFIX) :] for name in store.names() if name.startswith(PREFIX)]


def document(name: str) -> dict[str, Any]:
    return dict(json.loads(Path(places.document(f"{PREFIX}{name}")).read_text()))


def remove_all() -> None:
    """Remove all jails of these tests, one by one: not by what is tested."""
    for name in {*names(), *_remains()}:
        jail(name).remove()


def _remains() -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(places.RUNTIME):
            if name.startswith(PREFIX) and name.endswith(".lock"):
                yield name[len(PREFIX) : -len(".lock")]
