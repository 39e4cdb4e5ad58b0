# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who flushes the host's packet filter opens no jail that runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import nfnetlink
from ansible_collections.hosting.jails.tests.bench.ground import supervisor_pid
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")

NAME, OWN = "nft-a", "10.36.0.11"
ROUTED = {"mode": "vnet", "interface": ""}
GUARDED = {"firewall": {"inbound": {"policy": "reject", "rules": [{"protocol": "tcp", "ports": [81]}]}}}


@pytest.fixture
def private_host(private_state: None) -> Iterator[None]:
    host.enter()
    with jails.own_supervisor():
        yield


def nft(*words: str) -> str:
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=True).stdout


def has_table() -> bool:
    return nfnetlink.has_table("hosting_jails")


def children() -> set[str]:
    pid = supervisor_pid()
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_rules_that_are_flushed_come_back_by_themselves() -> None:
    nft("add", "table", "inet", "of_the_host")
    with host.jail(NAME, OWN, ip={**ROUTED, **GUARDED}, command=host.server(80, "0.0.0.0")) as jail:
        before = nft("list", "table", "inet", "hosting_jails")
        jails.wait_until(lambda: ":0050 00000000:0000 0A " in Path(f"/proc/{jail.pid}/net/tcp").read_text())
        assert host.ask(OWN, 80, listens=False) == "ECONNREFUSED"
        # All of it, as a service that reloads its own rules does, and by somebody who knows our table.
        for command in (("flush", "ruleset"), ("delete", "table", "inet", "hosting_jails")):
            nft(*command)
            jails.wait_until(has_table, what="the table to come back")
            assert nft("list", "table", "inet", "hosting_jails") == before
            assert host.ask(OWN, 80, listens=False) == "ECONNREFUSED"
        assert not jail.converge()["changed"]
        assert "of_the_host" not in nft("list", "tables")


def test_what_we_take_away_ourselves_stays_away() -> None:
    with host.jail(NAME, OWN, ip={**ROUTED, **GUARDED}) as jail:
        living = children()
        jail.converge(part="ip", ip={"firewall": {}})
        assert not has_table()
        jails.wait_until(lambda: children() <= living, what="the supervisor to have looked")
        assert not has_table()
        jail.converge(part="ip", ip=GUARDED)
        assert has_table()
