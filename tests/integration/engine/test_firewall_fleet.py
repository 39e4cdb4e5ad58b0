# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of many jails cost one look at the table, and one transaction for all that are changed together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.refusal import Refusal
from ansible_collections.hosting.jails.plugins.module_utils._kernel import nftables
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import (
    HOST4,
    OUTSIDE4,
    Network,
    rules,
    run_nft,
    world,
)

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

JAILS = 20


@pytest.fixture
def net(private_state: None) -> Network:
    return Network()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What nft was started for."""
    found: list[str] = []
    original = nftables._run

    def counted(*arguments: Any, operation: str, **options: Any) -> str:
        found.append(operation)
        return original(*arguments, operation=operation, **options)

    monkeypatch.setattr(nftables, "_run", counted)
    return found


def _fleet(jails: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "jails": jails,
        "defaults": {"state": "present"},
        "fleet": "acme",
        "purge": "none",
        "purge_limit": "100%",
        "allow_empty": False,
        "apply": "live",
        "mode": "converge",
        "plan": None,
        "parallel": 2,
        "verbose_results": False,
    }
    return converge({**parameters, **options}, check=False, with_diff=False)


def _jail(number: int, **ip: Any) -> dict[str, Any]:
    addresses = [f"10.36.1.{number}", f"fd00:36::1:{number:x}"]
    rule = {"protocol": "tcp", "ports": [80]}
    guarded = {
        "forwards": [{"port": 8000 + number, "to": 80}],
        "firewall": {"inbound": {"policy": "drop", "rules": [rule]}},
    }
    return {"name": f"web{number}", "ip": {"mode": "vnet", "addresses": addresses, **guarded, **ip}}


def test_a_fleet_is_filtered_in_one_transaction(net: Network, asked: list[str]) -> None:
    before = world()
    jails = [_jail(number) for number in range(1, JAILS + 1)]
    assert _fleet(jails)["changed"]
    assert asked == ["change"]
    for number in (1, JAILS):
        net.serve(f"web{number}", 80)
        assert net.ask("outside", HOST4, 8000 + number) == f"web{number} {OUTSIDE4}"
    asked.clear()
    assert not _fleet(jails)["changed"]
    assert asked == ["list"]
    run_nft("flush ruleset")
    assert _fleet(jails)["summary"]["changed"] == JAILS
    assert net.ask("outside", HOST4, 8001) == f"web1 {OUTSIDE4}"
    asked.clear()
    _fleet([{**jail, "state": "absent"} for jail in jails])
    # Planned once, again under the locks, and compared once more under that of the table.
    assert asked == ["list", "list", "list", "change"]
    assert world() == before
    assert rules() == []


def test_a_port_that_two_jails_of_a_fleet_want_is_refused_before_anything_is_done(net: Network) -> None:
    before = world()
    with pytest.raises(Refusal) as refusal:
        _fleet([_jail(1), _jail(2, forwards=[{"port": "8000-8100"}])])
    assert "jails[1].ip.forwards[0].port" in str(refusal.value)
    assert world() == before
