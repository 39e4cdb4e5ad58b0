# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people stumble over in jails, by the end of docs/services.md, with the programs of a distribution."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import pages

PAGE = pages.Page("system")
NETWORK = {"mode": "vnet", "addresses": ["10.36.0.7/32"]}
PING = ("ping", "-c", "1", "-W", "5", "10.35.0.1")
ALICE = ("--user", "alice")


@pytest.fixture(scope="module", autouse=True)
def template(machine: int) -> None:
    PAGE.build(machine)


@contextlib.contextmanager
def jail(**document: Any) -> Iterator[Jail]:
    source = {"source": {"template": PAGE.template}}
    with jails.jail("some", rootfs=source, ip=NETWORK, **document) as made:
        made.script("useradd --create-home --shell /bin/bash alice; echo 'alice:one-Two-3' | chpasswd")
        yield made


def pings(it: Jail, *options: str) -> bool:
    return it.run(*PING, options=options).returncode == 0


def test_nobody_pings_from_a_jail_that_is_not_said_to() -> None:
    with jail() as it:
        assert (pings(it), pings(it, *ALICE)) == (False, False)


def test_everybody_pings_with_raw_sockets() -> None:
    with jail(caps={"profile": "service", "allow": ["raw_sockets"]}) as it:
        assert (pings(it), pings(it, *ALICE)) == (True, True)


def test_everybody_pings_without_by_a_program_that_has_no_file_capabilities() -> None:
    with jail() as it:
        it.script("setcap -r $(which ping)")
        assert (pings(it), pings(it, *ALICE)) == (True, True)


@pytest.mark.parametrize("given", [False, True])
def test_su_sudo_and_passwd_take_new_privileges(given: bool) -> None:
    with jail(caps={"profile": "service", "no_new_privileges": not given}) as it:
        it.script("echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice")
        for command, said in (
            (("sudo", "-n", "true"), ""),
            (("passwd",), "one-Two-3\nfour-Five-6\nfour-Five-6\n"),
            (("su", "alice", "-c", "true"), "four-Five-6\n"),
        ):
            assert (it.run(*command, options=ALICE, input=said).returncode == 0) == given


def test_cron_runs_the_jobs_of_users() -> None:
    with jail(command=["cron", "-f"]) as it:
        it.output("sh", "-c", "echo '* * * * * id -un > ran' | crontab -u alice -")
        wait_until(lambda: it.run("cat", "ran", options=ALICE).stdout == "alice\n", timeout=90)
