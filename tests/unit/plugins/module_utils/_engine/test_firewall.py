# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of documents in our table, tried on a table that does what nft would do with each command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import firewall_changes, firewall_table
from ansible_collections.hosting.jails.plugins.module_utils._engine.firewall_contents import (
    Contents,
    Element,
    contents,
    rule_mark,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise
from hypothesis import given
from hypothesis import strategies as st

BOTH = ["10.0.0.1", "fd00::1"]
SHARED = {"mode": "shared", "interface": "eth0"}


def of(name="web1", link="jl1", **ip):
    ip = {"mode": "vnet", "addresses": BOTH, **ip}
    return contents(effective(normalise({"ip": ip}, jail=name)), link)


def shown(content):
    return sorted(
        f"{element.name} {_plain(element.key)} {_plain(element.value)}".strip() for element in content.elements
    )


def _plain(text):
    if not text:
        return ""
    value = json.loads(text)
    if isinstance(value, dict) and "concat" in value:
        return " . ".join(_plain(json.dumps(part)) for part in value["concat"])
    if isinstance(value, dict) and "range" in value:
        return "-".join(map(str, value["range"]))
    return value["jump"]["target"] if isinstance(value, dict) else str(value)


# What a document becomes


def test_a_jail_that_asks_for_nothing_has_nothing():
    assert not of()
    assert not of(mode="none", addresses=[])
    assert not of(mode="host", addresses=[])


def test_a_forward_leads_to_an_address_and_a_port_of_each_family():
    assert shown(of(forwards=[{"port": 8080, "to": 80}])) == [
        "forward4 tcp . 8080 10.0.0.1",
        "forward6 tcp . 8080 fd00::1",
        "hairpin jl1 . jl1",
        "port4 tcp . 8080 80",
        "port6 tcp . 8080 80",
    ]


def test_a_range_that_keeps_its_numbers_is_one_element():
    forward = {"port": "16384-32767", "protocol": "udp", "host_address": "192.0.2.1"}
    assert shown(of(forwards=[forward])) == ["hairpin jl1 . jl1", "range4_at 192.0.2.1 . udp . 16384-32767 10.0.0.1"]


def test_a_range_of_other_numbers_is_one_element_a_port():
    forward = {"port": "80-81", "to": 8080, "address": "fd00::1"}
    assert shown(of(forwards=[forward])) == [
        "forward6 tcp . 80 fd00::1",
        "forward6 tcp . 81 fd00::1",
        "hairpin jl1 . jl1",
        "port6 tcp . 80 8080",
        "port6 tcp . 81 8081",
    ]


def test_private_addresses_are_masqueraded_and_no_others():
    content = of(addresses=["10.0.0.1", "198.51.100.1", "8.8.8.8", "100.64.0.1", "2a00::1"], masquerade=True)
    assert shown(content) == ["masquerade4 10.0.0.1", "masquerade4 100.64.0.1", "masquerade4 198.51.100.1"]


def test_rules_are_found_by_the_interface_and_by_the_address():
    content = of(firewall={"inbound": {"policy": "drop"}, "outbound": {"policy": "reject"}})
    assert shown(content) == [
        "inbound jl1 inbound-web1",
        "inbound4 10.0.0.1 inbound-web1",
        "inbound6 fd00::1 inbound-web1",
        "outbound jl1 outbound-web1",
    ]
    assert content.chains == {"inbound-web1": [[{"drop": None}]], "outbound-web1": [[{"reject": None}]]}


def test_a_rule_becomes_conditions_and_a_verdict():
    rules = [
        {"protocol": "tcp", "ports": [80, "8000-8010"], "from": ["10.0.0.0/8", "192.0.2.1"]},
        {"protocol": "icmp"},
        {"protocol": "udp", "action": "reject"},
        {"from": ["fd00::/8"], "action": "drop"},
    ]
    chain = of(firewall={"inbound": {"rules": rules}}).chains["inbound-web1"]
    assert chain[0] == [
        {
            "match": {
                "op": "==",
                "left": {"payload": {"protocol": "ip", "field": "saddr"}},
                "right": {"set": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.1"]},
            }
        },
        {
            "match": {
                "op": "==",
                "left": {"payload": {"protocol": "tcp", "field": "dport"}},
                "right": {"set": [80, {"range": [8000, 8010]}]},
            }
        },
        {"return": None},
    ]
    assert [rule[-1] for rule in chain] == [{"return": None}, {"return": None}, {"reject": None}, {"drop": None}]
    assert len(chain) == 4


def test_peers_of_both_families_are_two_rules():
    rules = [{"to": ["10.0.0.0/8", "fd00::/8"], "action": "drop"}]
    chain = of(firewall={"outbound": {"rules": rules}}).chains["outbound-web1"]
    assert [rule[0]["match"]["left"]["payload"] for rule in chain] == [
        {"protocol": "ip", "field": "daddr"},
        {"protocol": "ip6", "field": "daddr"},
    ]


def test_a_shared_jail_is_known_by_its_addresses():
    content = of(**SHARED, firewall={"inbound": {"policy": "drop"}, "outbound": {"policy": "drop"}})
    assert shown(content) == [
        "inbound4 10.0.0.1 inbound-web1",
        "inbound6 fd00::1 inbound-web1",
        "outbound4 10.0.0.1 outbound-web1",
        "outbound6 fd00::1 outbound-web1",
        "shared4 10.0.0.1",
        "shared6 fd00::1",
    ]
    assert [rule[-1] for rule in content.chains["inbound-web1"]] == [{"return": None}, {"return": None}, {"drop": None}]


def test_a_shared_jail_without_rules_only_keeps_its_addresses_from_the_forwards_of_others():
    assert shown(of(**SHARED)) == ["shared4 10.0.0.1", "shared6 fd00::1"]


# From one state of the table to another


class Table:
    """What nft has of our table; each command fails as nft's would."""

    def __init__(self) -> None:
        self.exists = False
        self._sets: dict[str, tuple[str, dict[str, Any]]] = {}
        self._chains: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}

    def apply(self, commands: list[dict[str, Any]]) -> None:
        for command in commands:
            ((verb, what),) = command.items()
            ((kind, properties),) = what.items()
            getattr(self, f"_{verb}_{kind}")(properties)

    def objects(self) -> list[dict[str, Any]] | None:
        if not self.exists:
            return None
        found: list[dict[str, Any]] = [{"metainfo": {}}, {"table": {"family": "inet", "name": "hosting_jails"}}]
        found += [
            {kind: {"name": name, "elem": list(elements.values())}} for name, (kind, elements) in self._sets.items()
        ]
        found += [{"chain": chain} for chain, _unused in self._chains.values()]
        return found + [{"rule": rule} for _unused, rules in self._chains.values() for rule in rules]

    def targets(self) -> set[str]:
        """Chains that a map leads to."""
        text = json.dumps([[*elements.values()] for _unused, elements in self._sets.values()])
        return {name for name in self._chains if f'"{name}"' in text}

    def _add_table(self, _unused: dict[str, Any]) -> None:
        self.exists = True

    def _delete_table(self, _unused: dict[str, Any]) -> None:
        assert self.exists, "ENOENT"
        self.__init__()  # type: ignore[misc]

    def _add_set(self, added: dict[str, Any]) -> None:
        self._sets.setdefault(added["name"], ("set", {}))

    def _add_map(self, added: dict[str, Any]) -> None:
        self._sets.setdefault(added["name"], ("map", {}))

    def _add_chain(self, added: dict[str, Any]) -> None:
        self._chains.setdefault(added["name"], (added, []))

    def _flush_chain(self, flushed: dict[str, Any]) -> None:
        self._chains[flushed["name"]][1].clear()

    def _delete_chain(self, deleted: dict[str, Any]) -> None:
        assert deleted["name"] not in self.targets(), "EBUSY"
        del self._chains[deleted["name"]]

    def _add_rule(self, added: dict[str, Any]) -> None:
        self._chains[added["chain"]][1].append({name: added[name] for name in ("chain", "comment")})

    def _add_element(self, added: dict[str, Any]) -> None:
        elements = self._sets[added["name"]][1]
        for element in added["elem"]:
            key = json.dumps((element[0] if isinstance(element, list) else element)["elem"]["val"])
            assert elements.setdefault(key, element) == element, "EEXIST"
        assert self.targets() >= {
            element[1]["jump"]["target"]
            for element in added["elem"]
            if isinstance(element, list) and isinstance(element[1], dict)
        }, "ENOENT"

    def _delete_element(self, deleted: dict[str, Any]) -> None:
        elements = self._sets[deleted["name"]][1]
        for element in deleted["elem"]:
            del elements[json.dumps((element[0] if isinstance(element, list) else element)["elem"]["val"])]


CONTENTS = st.sampled_from(
    [
        {},
        {"forwards": [{"port": 8080, "to": 80}]},
        {"forwards": [{"port": 8080, "to": 81}, {"port": "9000-9100"}]},
        {"masquerade": True},
        {"firewall": {"inbound": {"policy": "drop"}}},
        {
            "firewall": {
                "inbound": {"policy": "reject", "rules": [{"protocol": "icmp"}]},
                "outbound": {"policy": "drop"},
            }
        },
        {"forwards": [{"port": 8080}], "masquerade": True, "firewall": {"outbound": {"policy": "drop"}}},
    ]
)
# Two jails of which each may take over what the other had.
JAILS = st.fixed_dictionaries({"web1": CONTENTS, "db-1": CONTENTS})


def wanted_of(jails):
    links = {"web1": "jl1", "db-1": "jl2"}
    addresses = {"web1": BOTH, "db-1": ["10.0.0.2"]}
    # The same port is never forwarded twice: documents that say so are refused.
    shifted = {"web1": lambda port: port, "db-1": lambda port: f"2{port}" if isinstance(port, int) else "29000-29100"}
    found = {}
    for name, ip in jails.items():
        entries = [{**each, "port": shifted[name](each["port"])} for each in ip.get("forwards", ())]
        found[name] = of(name, links[name], **{**ip, "addresses": addresses[name], "forwards": entries})
    return found


def read(table):
    objects = table.objects()
    return None if objects is None else firewall_changes.parse(objects)


def give(table, wanted):
    installed = read(table)
    if installed is None or not installed.sound:
        table.apply(firewall_changes.rebuilding(wanted, exists=installed is not None))
    else:
        table.apply(firewall_changes.changing(installed, wanted))


@given(st.lists(JAILS, min_size=1, max_size=4))
def test_every_state_is_reached_from_every_other(states):
    table = Table()
    for jails in states:
        wanted = wanted_of(jails)
        give(table, wanted)
        assert table.exists == any(wanted.values())
        for jail, content in wanted.items():
            assert firewall_changes.drift(read(table), jail, content) == ()


@given(JAILS, CONTENTS)
def test_a_change_of_one_jail_touches_no_other(before, after):
    table = Table()
    wanted = wanted_of(before)
    give(table, wanted)
    changed = wanted_of({**before, "web1": after})
    installed = read(table)
    if installed is None:
        return
    table.apply(firewall_changes.changing(installed, {"web1": changed["web1"]}))
    assert firewall_changes.drift(read(table), "db-1", wanted["db-1"]) == ()
    assert firewall_changes.drift(read(table), "web1", changed["web1"]) == ()


def test_addresses_of_shared_jails_keep_no_table():
    table, shared = Table(), of("old1", **SHARED)
    give(table, {"old1": shared})
    assert not table.exists
    give(table, {"web1": of(forwards=[{"port": 80}]), "old1": shared})
    assert firewall_changes.drift(read(table), "old1", shared) == ()
    commands = firewall_changes.changing(read(table), {"web1": Contents()})
    assert not firewall_changes.leaves_table(commands, exists=True)
    table.apply(commands)
    assert not table.exists


def test_what_is_there_already_takes_no_command():
    table, wanted = Table(), {"web1": of(forwards=[{"port": 80}], firewall={"inbound": {"policy": "drop"}})}
    give(table, wanted)
    assert firewall_changes.changing(read(table), wanted) == []


DAMAGE = {
    "a set is gone": lambda objects: [each for each in objects if each.get("set", {}).get("name") != "masquerade4"],
    "a map is gone": lambda objects: [each for each in objects if each.get("map", {}).get("name") != "forward4"],
    "a rule is gone": lambda objects: [each for each in objects if each.get("rule", {}).get("chain") != "nat_output"],
    "a chain is no hook any more": lambda objects: [
        {"chain": {"name": "input"}} if each.get("chain", {}).get("name") == "input" else each for each in objects
    ],
    "somebody has added a rule": lambda objects: [*objects, {"rule": {"chain": "forward"}}],
    "somebody has added a chain": lambda objects: [*objects, {"chain": {"name": "theirs"}}],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_seen(damage):
    table, wanted = Table(), of(forwards=[{"port": 80}])
    give(table, {"web1": wanted})
    installed = firewall_changes.parse(DAMAGE[damage](table.objects()))
    assert firewall_changes.drift(installed, "web1", wanted) == ("the table is damaged",)


def test_what_a_jail_lacks_and_has_too_much_is_counted():
    table = Table()
    before, after = of(forwards=[{"port": 80}]), of(forwards=[{"port": 81}], firewall={"inbound": {"policy": "drop"}})
    give(table, {"web1": before})
    assert firewall_changes.drift(read(table), "web1", after) == ("7 missing", "4 too many", "other rules")
    assert firewall_changes.drift(None, "web1", after) == ("the table is gone",)
    assert firewall_changes.drift(None, "web1", Contents()) == ()


def test_an_element_of_nobody_is_seen_as_a_strangers():
    table = Table()
    give(table, {"web1": of(masquerade=True)})
    table.apply(
        [firewall_table.add("element", name="masquerade4", elem=[{"elem": {"val": "10.9.9.9", "comment": "old"}}])]
    )
    assert read(table).jails() == {"web1", "old"}
    give(table, {"web1": of(masquerade=True), "old": Contents()})
    assert read(table).jails() == {"web1"}


def test_every_rule_of_the_table_says_which_table_it_belongs_to():
    rules = [command["add"]["rule"] for command in firewall_table.skeleton() if "rule" in command["add"]]
    assert {rule["comment"] for rule in rules} == {firewall_table.skeleton_mark()}
    assert all(len(rule["comment"]) < 128 for rule in rules), "NFTNL_UDATA_COMMENT_MAXLEN"


def test_a_mark_fits_beside_the_longest_name():
    assert len(rule_mark("a" * 63, [{"drop": None}])) < 128


def test_the_table_is_of_the_same_size_whatever_jails_there_are():
    chains = [command["add"]["chain"]["name"] for command in firewall_table.skeleton() if "chain" in command["add"]]
    assert not [name for name in chains if "-" in name], "a hyphen is for the chains of jails"
    assert Element("masquerade4", '"10.0.0.1"', "") in of(masquerade=True).elements
