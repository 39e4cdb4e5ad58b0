# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cost of the network grows with the number of jails, and no faster."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import network, network_conflicts
from ansible_collections.hosting.jails.plugins.module_utils._kernel import rtnetlink
from ansible_collections.hosting.jails.tests.integration.engine import network_host as host

pytest.importorskip("pyroute2")

JAILS = 100


@pytest.fixture
def private_host(private_state: None) -> None:
    host.enter_private_host()


def test_a_hundred_jails_take_as_many_requests_each_as_one(private_host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    original = rtnetlink.Reader._exchange

    def counted(self: rtnetlink.Reader, *arguments: object) -> object:
        answer = original(self, *arguments)  # type: ignore[arg-type]
        sent.append(len(answer[0]))
        return answer

    monkeypatch.setattr(rtnetlink.Reader, "_exchange", counted)
    before = host.world()
    costs = {"create": [], "repeat": [], "observe": [], "remove": []}  # type: dict[str, list[int]]
    documents = [host.jail(f"jail{number}", f"10.20.0.{number}/32") for number in range(1, JAILS + 1)]
    taken = network_conflicts.taken_addresses("")

    def cost(kind: str, operation: object) -> None:
        sent.clear()
        assert callable(operation)
        operation()
        costs[kind].append(sum(sent))

    for index, document in enumerate(documents, 1):
        cost("create", lambda document=document, index=index: network.ensure(document, index, taken=taken))
    for index, document in enumerate(documents, 1):
        cost("repeat", lambda document=document, index=index: network.ensure(document, index, taken=taken))
        cost("observe", lambda document=document: network.observe(document["name"], document))
    assert all(host.answers(f"10.20.0.{number}") for number in (1, 50, JAILS))
    for index, document in enumerate(documents, 1):
        cost("remove", lambda document=document, index=index: network.remove(document["name"], index))
    assert {kind: max(counts) - min(counts) for kind, counts in costs.items()} == dict.fromkeys(costs, 0)
    assert host.world() == before
