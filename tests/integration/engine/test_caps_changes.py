# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every option of caps, changed while a jail runs: done at once, or waiting for a restart with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.options_caps import CAPS
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import Jail

pytestmark = pytest.mark.usefixtures("template")

# A change of each option, and what of the init shows it (proc_pid_status(5)).
WAITING: dict[str, tuple[Any, str]] = {
    "profile": ("freebsd", "CapBnd"),
    "keep": (["SYS_CHROOT"], "CapBnd"),
    "drop": (["CHOWN"], "CapBnd"),
    "allow": (["mlock"], "CapBnd"),
    "no_new_privileges": (False, "NoNewPrivs"),
    "seccomp": ("none", "Seccomp"),
    "securebits": (["noroot"], "CapEff"),
    "masked_paths": (["/etc/profile"], "mounts"),
    "read_only_paths": (["/opt"], "mounts"),
}
AT_ONCE: dict[str, Any] = {"devices": ["none"], "strict": True, "user_namespace": True}


@pytest.fixture(scope="module")
def it(template: str) -> Iterator[Jail]:
    with jails.jail("eng-changes", ip={"mode": "vnet", "addresses": ["10.23.91.1/32"]}) as made:
        yield made


def status_of(it: Jail, field: str) -> str:
    if field == "mounts":
        return str(len(Path(f"/proc/{it.pid}/mountinfo").read_text().splitlines()))
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{it.pid}/status").read_text().splitlines())
    return lines[field].strip()


def test_every_option_is_tried_here() -> None:
    assert {*WAITING, *AT_ONCE} == set(CAPS.names)


@pytest.mark.parametrize("option", WAITING)
def test_what_a_process_cannot_be_given_waits_for_a_restart(option: str, it: Jail) -> None:
    value, field = WAITING[option]
    init, before = it.pid, status_of(it, field)
    done = it.converge(part="caps", caps={option: value})
    assert done["restart_required"]
    assert any(reason.startswith(f"caps.{option}:") for reason in done["reasons"])
    assert all(reason.endswith(" needs a restart") for reason in done["reasons"])
    assert (it.pid, status_of(it, field)) == (init, before)
    again = it.converge(state="started")
    assert (again["changed"], again["reasons"]) == (False, done["reasons"])
    done = it.converge(part="caps", caps={option: value}, apply="restart")
    assert not done["restart_required"]
    assert it.pid != init
    assert status_of(it, field) != before
    # Back to what it was, which waits as well, and is taken back without a restart when it is said again.
    assert it.converge(part="caps", caps={option: ""})["restart_required"]
    assert not it.converge(part="caps", caps={option: value})["restart_required"]
    it.converge(part="caps", caps={option: ""}, apply="restart")
    assert status_of(it, field) == before


@pytest.mark.parametrize("option", AT_ONCE)
def test_the_rest_is_done_at_once(option: str, it: Jail) -> None:
    init = it.pid
    done = it.converge(part="caps", caps={option: AT_ONCE[option]})
    assert (done["changed"], done["restart_required"], done["reasons"]) == (True, False, [])
    again = it.converge(part="caps", caps={option: AT_ONCE[option]})
    assert (again["changed"], again["restart_required"]) == (False, False)
    assert it.pid == init
    it.converge(part="caps", caps={option: ""})
