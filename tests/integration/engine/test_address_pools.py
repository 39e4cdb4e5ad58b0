# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host chooses for jails is free, is given once, and stays what it is."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import (
    address_pools,
    host_configuration,
    places,
    store,
)
from ansible_collections.hosting.jails.plugins.module_utils._engine.converge import converge
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet import converge as fleet
from ansible_collections.hosting.jails.plugins.module_utils._engine.fleet.refusal import Refusal
from ansible_collections.hosting.jails.plugins.module_utils._kernel import processes, rtnetlink
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.place import Place
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import network_host
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("private_host")

POOL4, POOL6 = {"addresses": "10.20.0.0/29"}, {"addresses": "fd00:20::/64"}


@pytest.fixture
def private_host(private_state: None) -> Iterator[None]:
    host.enter()
    with jails.own_supervisor():
        yield


def have(*entries: dict[str, Any]) -> None:
    """Give the host pools."""
    host_configuration.write_pools(host_configuration.parse_pools(list(entries)))


def ip(name: str, *addresses: str, check: bool = False, **options: Any) -> list[str]:
    """The addresses that a jail has, or would have, after a task of jail_ip."""
    given = {"ip": {"mode": "vnet", "addresses": list(addresses), **options}}
    result = converge(Wanted(jail=name, given=given, part="ip"), apply_mode="live", check=check)
    return list(result["jail"]["document"]["ip"]["addresses"])


def remove(name: str) -> None:
    converge(Wanted(jail=name, state="absent"), apply_mode="live", check=False)


def task(*members: dict[str, Any], mode: str = "converge", check: bool = False, **options: Any) -> dict[str, Any]:
    """What a task of jail_fleet returns."""
    parameters = {"fleet": "net", "purge": "none", "allow_empty": False, "purge_limit": "25%", "parallel": 2}
    parameters |= {"defaults": {"state": "present", "ip": {"mode": "vnet", "addresses": ["auto"]}}, "apply": "live"}
    parameters |= {"mode": mode, "plan": None, "verbose_results": True, "jails": list(members), **options}
    return fleet.converge(parameters, check=check, with_diff=True)


def addresses_of(*names: str) -> list[str]:
    documents = [store.read_document(name) or {} for name in names]
    return [address for document in documents for address in document["ip"]["addresses"]]


def test_a_jail_is_given_what_is_free_and_keeps_it() -> None:
    have(POOL4, POOL6)
    before = network_host.world()
    foreseen = ip("web1", "auto", check=True)
    assert network_host.world() == before
    assert store.names() == []
    assert ip("web1", "auto") == foreseen == ["10.20.0.1/32", "fd00:20::1/128"]
    assert network_host.answers("10.20.0.1")
    again = Wanted(jail="web1", given={"ip": {"addresses": ["auto"]}}, part="ip")
    assert not converge(again, apply_mode="live", check=False)["changed"]
    have({"addresses": "10.30.0.0/24"})
    assert not converge(again, apply_mode="live", check=False)["changed"]
    assert ip("web2", "auto4") == ["10.30.0.1/32"]
    assert not os.path.exists(places.RESERVATIONS)


def test_an_address_is_free_again_with_the_jail_that_had_it() -> None:
    have(POOL4)
    assert [ip(name, "auto")[0] for name in ("web1", "web2", "web3")] == [f"10.20.0.{n}/32" for n in (1, 2, 3)]
    remove("web2")
    assert ip("web4", "auto") == ["10.20.0.2/32"]
    assert ip("web1", "192.0.2.1") == ["192.0.2.1/32"]
    assert ip("web5", "auto") == ["10.20.0.1/32"]


def test_what_the_host_has_or_routes_or_a_document_names_is_not_given() -> None:
    have({"addresses": "10.35.0.0/28", "reserved": ["10.35.0.8-10.35.0.20"]})
    host.ip(f"route add 10.35.0.2/32 dev {host.LINK}")
    host.ip(f"route add 10.99.0.0/24 via 10.35.0.5 dev {host.LINK}")
    host.ip("address add 10.35.0.4/32 dev lo")
    store.prepare_directories()
    written = {"name": "there", "ip": {"mode": "vnet", "addresses": ["10.35.0.3/32"]}}
    store.write_document("there", written)
    Path(places.document("damaged")).write_text("{")
    assert ip("web1", "auto4", "10.35.0.6") == ["10.35.0.7/32", "10.35.0.6/32"]
    with pytest.raises(DocumentError, match=r"jail web2: ip\.addresses\[0\]: no IPv4 address is free any more.*/28; "):
        ip("web2", "auto")
    assert "web2" not in store.names()


def test_on_a_bridge_a_jail_gets_the_prefix_of_the_network_and_nothing_that_a_station_has() -> None:
    host.ip("link add br0 type bridge")
    host.ip("link set br0 up")
    have(POOL4, {"addresses": "192.0.2.0/24", "link": "br0", "reserved": ["192.0.2.2"]})
    wire = {"bridge": "br0", "gateway": ["192.0.2.1"]}
    assert ip("web1", "auto", **wire) == ["192.0.2.3/24"]
    # As somebody's machine there: known to nobody's document.
    os.rename(places.document("web1"), "/etc/jails/.web1")
    assert ip("web2", "auto", **wire) == ["192.0.2.4/24"]
    os.rename("/etc/jails/.web1", places.document("web1"))
    assert ip("web2", "auto", bridge="", gateway=[]) == ["10.20.0.1/32"]


def test_on_the_hosts_stack_it_is_an_address_of_the_link() -> None:
    have({"addresses": "10.35.0.1-10.35.0.20/24", "link": host.LINK}, POOL6)
    with host.jail("web1", ip={"addresses": ["auto"]}) as jail:
        assert addresses_of("web1") == ["10.35.0.2/32"]
        assert host.bound(jail, "0.0.0.0") == "10.35.0.2"
        jail.converge(state="restarted")
        assert host.bound(jail, "0.0.0.0") == "10.35.0.2"


def test_jails_of_a_fleet_get_one_each() -> None:
    have(POOL4, POOL6)
    members = [{"name": "web[1:3]"}, {"name": "db1", "ip": {"addresses": ["10.20.0.2"]}}]
    foreseen = task(*members, check=True)
    assert store.names() == []
    assert "10.20.0.4/32" in json.dumps(foreseen["diff"])
    assert task(*members)["changed"]
    expected = ["10.20.0.1/32", "fd00:20::1/128", "10.20.0.3/32", "fd00:20::2/128", "10.20.0.4/32", "fd00:20::3/128"]
    assert addresses_of("web1", "web2", "web3") == expected
    again = task(*members)
    assert not again["changed"], again["jails"]
    assert task({"name": "web4"}, *members, purge_limit="100%")["changed"]
    assert addresses_of("web4") == ["10.20.0.5/32", "fd00:20::4/128"]
    with pytest.raises(Refusal, match=r"jails\[0\]\.ip\.addresses\[0\]: no IPv4 address is free"):
        task({"name": "web[5:6]"}, *members)
    assert "web5" not in store.names()


def test_a_plan_has_the_addresses_and_gives_no_others(tmp_path: Path) -> None:
    have(POOL4)
    path = f"{tmp_path}/plan.json"
    task({"name": "web[1:2]"}, mode="plan", plan=path)
    assert ip("other", "10.20.0.2") == ["10.20.0.2/32"]
    with pytest.raises(Refusal, match=r"10\.20\.0\.2/32 is taken by jail other"):
        task(mode="apply", plan=path)
    remove("other")
    task(mode="apply", plan=path)
    assert addresses_of("web1", "web2") == ["10.20.0.1/32", "10.20.0.2/32"]


def test_a_document_that_was_written_by_hand_has_to_name_addresses() -> None:
    store.prepare_directories()
    store.write_document("web1", {"name": "web1", "ip": {"mode": "vnet", "addresses": ["auto"]}})
    with pytest.raises(EngineError, match=r"leaves an address open; write one there"):
        converge(Wanted(jail="web1", state="started"), apply_mode="live", check=False)
    with pytest.raises(
        EngineError, match=r"host\.conf says .*is neither a network nor a range.*address_pools of jail_engine"
    ):
        Path(places.HOST).write_text('{"address_pools": [{"addresses": "10.20.0.9-10.20.0.x"}]}')
        ip("web2", "auto")


# At the same time


def _in_children(*works: Callable[[], None]) -> list[int]:
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(_status, works))


def _status(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1]


def test_tasks_at_the_same_time_get_different_addresses() -> None:
    have({"addresses": "10.20.0.0/28"})
    names = [f"web{number}" for number in range(1, 7)]
    assert _in_children(*(lambda name=name: ip(name, "auto") and None for name in names)) == [0] * len(names)  # type: ignore[misc]
    assert len(set(addresses_of(*names))) == len(names)


def test_what_a_living_task_has_chosen_is_not_given_and_what_a_dead_one_has_is() -> None:
    have({"addresses": "10.20.0.1-10.20.0.3"})
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with address_pools.choosing(reserve=True) as choice:
            choice.for_wanted(Wanted(jail="web1", given={"ip": {"mode": "vnet", "addresses": ["auto"]}}))
            os.write(writer, b"chosen")
            signal.pause()
    assert os.read(reader, 6) == b"chosen"
    assert ip("web2", "auto") == ["10.20.0.2/32"]
    # Another task about that very jail gives it what the first one is about to.
    assert ip("web1", "auto", check=True) == ["10.20.0.1/32"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert ip("web3", "auto") == ["10.20.0.1/32"]


def test_many_jails_take_no_more_questions_each_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    have({"addresses": "10.20.0.0/16"}, POOL6)
    asked: list[int] = []
    read: list[str] = []
    original, original_read = rtnetlink.Reader._exchange, address_pools._stored
    monkeypatch.setattr(rtnetlink.Reader, "_exchange", lambda self, *a: asked.append(1) or original(self, *a))  # type: ignore[func-returns-value,arg-type]
    monkeypatch.setattr(address_pools, "_stored", lambda name: read.append(name) or original_read(name))  # type: ignore[func-returns-value]

    def cost(count: int) -> tuple[int, int]:
        asked.clear()
        read.clear()
        documents = [{"name": f"web{n}", "ip": {"mode": "vnet", "addresses": ["auto"]}} for n in range(count)]
        with address_pools.choosing(reserve=True) as choice:
            found = choice.for_documents(
                [(Place(str(d["name"])), d) for d in documents], lambda error: pytest.fail(str(error))
            )
        assert len({address for addresses in found.values() for address in addresses}) == 2 * count
        return len(asked), len(read)

    few, many = cost(10), cost(100)
    assert many[0] - few[0] == 2 * 90
    assert many[1] - few[1] == 90
    assert processes.start_time(os.getpid())
