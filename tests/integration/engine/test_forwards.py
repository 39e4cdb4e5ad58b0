# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports of the host lead to jails, for everybody who may ask, and for nobody any more when they are taken back."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.tests.integration.engine import firewall_host
from ansible_collections.hosting.jails.tests.integration.engine.firewall_host import (
    HOST4,
    HOST6,
    OUTSIDE4,
    WEB1,
    WEB2,
    Network,
    apply,
)

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_state")

BY_FAMILY = {4: HOST4, 6: HOST6}


@pytest.fixture
def net(private_state: None) -> Network:
    return Network()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("place", ["outside", "host", "web2", "web1"])
def test_a_port_of_the_host_leads_to_the_jail(net: Network, place: str, family: int, protocol: str) -> None:
    apply("web1", {**WEB1, "forwards": [{"port": 8080, "to": 80, "protocol": protocol}]})
    apply("web2", WEB2)
    net.serve("web1", 80, protocol=protocol, family=family)
    assert net.ask(place, BY_FAMILY[family], 8080, protocol=protocol).startswith("web1 ")


def test_the_jail_sees_who_asks(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": [{"port": 8080, "to": 80}]})
    net.serve("web1", 80)
    assert net.ask("outside", HOST4, 8080) == f"web1 {OUTSIDE4}"


def test_without_the_forward_nobody_answers(net: Network) -> None:
    apply("web1", {**WEB1, "forwards": [{"port": 8080, "to": 80}]})
    net.serve("web1", 80)
    assert net.ask("outside", HOST4, 8080)
    assert apply("web1", {"forwards": []})
    assert not net.ask("outside", HOST4, 8080, refused="").startswith("web1")
    assert firewall_host.rules() == []
