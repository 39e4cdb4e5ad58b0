# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sshd of a host that is pinned to its addresses, and what becomes of it where that fails: the way in stays."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from ansible_collections.hosting.jails.tests.hosts import access, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller, Run

_CONFIGURATION = "/etc/ssh/sshd_config.d"
_PINS = f"{_CONFIGURATION}/10-hosting-jails.conf"
_OTHER = f"{_CONFIGURATION}/20-other.conf"
_UNIT = "/etc/systemd/system/ssh.service.d"
# Once told to read its configuration again, it is never seen again.
_DIES = "[Service]\\nRestart=no\\nExecReload=\\nExecReload=/bin/sh -c 'kill -KILL $MAINPID'\\n"
_MORE = "10.33.0.77"


class Pinned(NamedTuple):
    """A host, and whoever manages it."""

    host: Host
    controller: Controller

    def pin(self, *addresses: str) -> Run:
        """Pin sshd to addresses of the host."""
        task = {
            "ansible.builtin.include_role": {"name": "hosting.jails.host", "tasks_from": "pins"},
            "vars": {"host_pin_daemons": ["sshd"], "host_pin_addresses": list(addresses)},
        }
        return self.controller.run(self.controller.write({"hosts": "jail_hosts", "tasks": [task]}))

    def state(self) -> tuple[list[str], str]:
        """Addresses that sshd listens on, and all that is in the directories of its configuration."""
        shown = self.host.run("ss", "--no-header", "--numeric", "--listening", "--tcp", "sport", "=", ":22").stdout
        script = f"find {_CONFIGURATION} {_UNIT} -type f -print -exec cat {{}} + 2> /dev/null || true"
        return sorted(line.split()[3] for line in shown.splitlines()), self.host.run("sh", "-c", script).stdout

    def lets_in(self) -> bool:
        """Whether somebody new can log in."""
        options = ["-F", str(access.ssh_config(self.host.prefix)), "-o", "ControlPath=none", "-o", "BatchMode=yes"]
        command = ["ssh", *options, self.host.name, "true"]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=60).returncode == 0

    def write(self, path: str, text: str) -> None:
        """Write a file on the host."""
        self.host.run("sh", "-c", f"mkdir -p $(dirname {path}) && printf '%b' \"$1\" > {path}", "sh", text)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pinned]:
    with sets.running(1, purpose="pin") as [host]:
        yield Pinned(host, Controller(tmp_path_factory.mktemp("pins"), [host]))


def _said(run: Run) -> str:
    assert run.status != 0, run.output
    return " ".join(run.output.split())


def test_a_configuration_that_sshd_refuses_is_shown_and_nothing_is_done(pinned: Pinned) -> None:
    pinned.write(_OTHER, "Lissten 22\\n")
    before = pinned.state()
    said = _said(pinned.pin())
    assert f"sshd refuses the configuration that it has, and would not start with it: {_OTHER}" in said
    assert "Lissten" in said
    assert pinned.state() == before
    pinned.host.run("rm", _OTHER)


def test_an_address_that_is_configured_elsewhere_is_shown_and_nothing_stays(pinned: Pinned) -> None:
    pinned.write(_OTHER, "ListenAddress 0.0.0.0\\n")
    before = pinned.state()
    assert "no ListenAddress elsewhere?" in _said(pinned.pin())
    assert pinned.state() == before
    pinned.host.run("rm", _OTHER)
    assert pinned.lets_in()


def test_a_daemon_that_does_not_come_back_is_started_as_it_was(pinned: Pinned) -> None:
    dying = f"{_UNIT}/dying.conf"
    pinned.write(dying, _DIES)
    before = pinned.state()
    said = _said(pinned.pin())
    assert "sshd listens as it did before: " in said, said[-3000:]
    assert pinned.state() == before, said[-3000:]
    assert pinned.lets_in()
    pinned.host.run("rm", dying)
    pinned.host.run("systemctl", "daemon-reload")


def test_one_that_does_not_answer_on_a_new_address_keeps_the_pins_of_the_earlier_run(pinned: Pinned) -> None:
    host = pinned.host
    first = pinned.pin(host.address)
    assert first.status == 0, first.output
    before = pinned.state()
    assert before[0] == ["10.33.0.1:22", "127.0.0.1:22", "[::1]:22"]
    link = host.run("sh", "-c", "ip -o -4 address show scope global | awk '{print $2}'").stdout.split()[0]
    host.run("ip", "address", "add", f"{_MORE}/32", "dev", link)
    rule = f"type filter hook input priority 0; ip daddr {_MORE} tcp dport 22 reject"
    host.run("nft", f"table inet test {{ chain in {{ {rule}; }}; }}")
    said = _said(pinned.pin(host.address, _MORE))
    assert f"sshd listens as it did before: Timeout when waiting for search string SSH- in {_MORE}:22" in said
    assert pinned.state() == before
    assert pinned.lets_in()
