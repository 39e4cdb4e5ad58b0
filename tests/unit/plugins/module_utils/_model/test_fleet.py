# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.fleet import (
    Member,
    across,
    conflicts,
    parse_fleet,
    purge,
)
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import (
    JAIL,
    documents,
    junk,
    raw_documents,
)
from hypothesis import given
from hypothesis import strategies as st

DEFAULTS = {
    "rootfs": {"source": {"template": "debian"}},
    "ip": {"mode": "vnet"},
    "limits": {"memory": "256M"},
    "labels": {"customer": "acme"},
}


def web(number, **options):
    return {"name": f"web{number}", "ip": {"addresses": [f"10.20.0.{number}/32"]}, **options}


def read(jails, defaults=None, fleet="acme"):
    return parse_fleet(jails, defaults, fleet=fleet)


def members_of(jails, defaults=None):
    members, errors = read(jails, defaults)
    assert [str(error) for error in errors] == []
    return members


def complaints(jails, defaults=None, fleet="acme"):
    return [str(error) for error in read(jails, defaults, fleet)[1]]


def test_a_member_is_its_canonical_document_over_the_defaults_with_the_label_of_the_fleet():
    [member] = members_of([web(1, limits={"pids": "64"}, hostname="")], DEFAULTS)
    assert member == Member(
        name="web1",
        place="jails[0]",
        state="started",
        document={
            "name": "web1",
            "limits": {"pids": 64},
            "labels": {"customer": "acme", "fleet": "acme"},
            "rootfs": {"source": {"template": "debian"}},
            "ip": {"mode": "vnet", "addresses": ["10.20.0.1/32"]},
        },
    )


def test_an_empty_value_clears_a_default():
    [member] = members_of([{"name": "a", "ip": {}, "limits": {}, "labels": {}}], DEFAULTS)
    assert member.document == {"name": "a", "labels": {"fleet": "acme"}, "rootfs": DEFAULTS["rootfs"]}


def test_all_names_of_a_range_stand_where_it_is_written():
    members = members_of([{"name": "db1"}, {"name": "web[1:3]", "state": "stopped"}])
    assert [(member.name, member.place, member.state) for member in members] == [
        ("db1", "jails[0]", "started"),
        ("web1", "jails[1]", "stopped"),
        ("web2", "jails[1]", "stopped"),
        ("web3", "jails[1]", "stopped"),
    ]


def test_defaults_can_say_the_state():
    members = members_of(
        [{"name": "a"}, {"name": "b", "state": "frozen"}, {"name": "c", "state": None}], {"state": "stopped"}
    )
    assert [member.state for member in members] == ["stopped", "frozen", "stopped"]


def test_of_a_jail_that_is_to_be_absent_nothing_is_asked_but_its_name():
    [member] = members_of([{"name": "web1", "state": "absent"}], {"ip": {"mode": "vnet"}})
    assert member.document == {"name": "web1"}


@pytest.mark.parametrize("jails", [[], ()])
def test_a_fleet_can_be_empty(jails):
    assert read(jails) == ([], [])


def test_every_bad_document_is_reported_and_no_good_one():
    assert complaints(
        [
            {"name": "a", "limits": {"memory": "lots"}},
            {"name": "b"},
            {"name": "c", "limts": {}},
            {"limits": {}},
            "d",
            {"name": "E"},
            {"name": "f", "init": "none", "ip": {"mode": "vnet"}},
            {"name": "g[2:1]"},
            {"name": "h", "state": "running"},
            {"name": "i", "labels": {"fleet": "other"}},
            {"name": "j", "labels": "x"},
        ]
    ) == [
        "jail a: jails[0].limits.memory: 'lots' is not a size; write a whole number with an optional suffix K, M, G"
        " or T",
        "jail c: jails[2].limts: there is no option of that name; did you mean limits?",
        "jails[3].name: is missing; say it",
        "jails[4]: 'd' is not a mapping; write the options of a jail, at least its name",
        "jails[5].name: 'E' is not a name: 'E' is not allowed in it; use 1 to 63 lowercase letters, digits and '-',"
        " with a letter or digit at both ends",
        "jail f: jails[6].command: is missing; say the command that is to be process 1, or use init: auto",
        "jail f: jails[6].ip.addresses: mode vnet needs at least one address; write 10.20.0.11/32, say",
        "jails[7].name: the range [2:1] runs backwards; write the lower end first",
        "jail h: jails[8].state: 'running' is not a choice; use present, started, stopped, restarted, frozen or absent",
        "jail i: jails[9].labels.fleet: 'other' is another fleet than that of the task, 'acme'; leave it out",
        "jail j: jails[10].labels: 'x' is not a mapping; write names with values, as in NAME: VALUE",
    ]


def test_what_the_elements_of_a_range_have_in_common_is_reported_once():
    assert complaints([{"name": "web[1:50]", "limits": {"memory": "lots", "pids": 0}}]) == [
        "jail web1: jails[0].limits.memory: 'lots' is not a size; write a whole number with an optional suffix K, M, G"
        " or T"
    ]


@pytest.mark.parametrize(
    ("defaults", "complaint"),
    [
        ({"limits": {"memory": "lots"}}, "defaults.limits.memory: 'lots' is not a size;"),
        ({"name": "web1"}, "defaults.name: a name belongs to one jail; say it in jails"),
        ({"state": "up"}, "defaults.state: 'up' is not a choice;"),
        ([], "defaults: a list is not a mapping;"),
        ({"comand": []}, "defaults.comand: there is no option of that name; did you mean command?"),
    ],
)
def test_a_mistake_in_the_defaults_is_reported_once(defaults, complaint):
    [said] = complaints([web(1), web(2)], defaults)
    assert said.startswith(complaint)


@pytest.mark.parametrize(("jails", "said"), [("web1", "'web1'"), ({"web1": {}}, "a mapping"), (None, "nothing")])
def test_jails_that_are_no_list_are_refused(jails, said):
    assert complaints(jails) == [f"jails: {said} is not a list; write a list of jails, each with its name"]


@pytest.mark.parametrize("fleet", ["", None, [], "a\nb"])
def test_a_fleet_has_a_name(fleet):
    [said] = complaints([web(1)], fleet=fleet)
    assert said.startswith("fleet: ")


def test_the_label_may_be_said_if_it_is_that_of_the_task():
    [member] = members_of([{"name": "a", "labels": {"fleet": "acme", "tier": 1}}])
    assert member.document["labels"] == {"fleet": "acme", "tier": "1"}


def test_what_is_said_twice_names_both_places():
    mac, vnet = "02:00:00:00:00:0a", {"ip": {"mode": "vnet"}}
    jails = [
        web(1),
        web(2, ip={"addresses": ["10.20.0.7", "10.20.0.1"], "mac": mac}),
        {"name": "web1"},
        web(3, ip={"addresses": ["10.20.0.3"], "mac": mac}),
        web(4, state="absent", ip={"addresses": ["10.20.0.3"]}),
        {"name": "web[2:2]"},
    ]
    jails[2]["ip"] = {"addresses": ["10.20.0.9"]}
    jails[5]["ip"] = {"addresses": ["10.20.0.10"]}
    assert complaints(jails, vnet) == [
        "jail web2: jails[1].ip.addresses[1]: 10.20.0.1/32 is taken by jails[0] (jail web1); give each jail one"
        " of its own",
        "jail web1: jails[2].name: web1 is the name of jails[0] already; name it once",
        f"jail web3: jails[3].ip.mac: {mac} is taken by jails[1] (jail web2); give each jail one of its own",
        "jail web2: jails[5].name: web2 is the name of jails[1] already; name it once",
    ]


def test_ports_of_the_host_belong_to_one_jail_each():
    def forwarding(number, *ports):
        return web(number, ip={"addresses": [f"10.20.0.{number}", f"fd00::{number}"], "forwards": list(ports)})

    jails = [
        forwarding(1, {"port": "8000-8010"}),
        forwarding(2, {"port": 8010, "protocol": "udp"}, {"port": 8010, "to": 80}),
        forwarding(3, {"port": 443, "host_address": "192.0.2.1"}),
        forwarding(4, {"port": 443, "host_address": "192.0.2.2"}),
    ]
    assert complaints(jails, {"ip": {"mode": "vnet"}}) == [
        "jail web2: jails[1].ip.forwards[1].port: tcp port 8010 of the host is taken by jails[0] (jail web1); give each"
        " jail one of its own"
    ]


def test_dependencies_that_the_task_itself_makes_impossible_are_reported():
    assert complaints(
        [
            {"name": "a", "depends": ["b", "c", "d", "elsewhere"]},
            {"name": "b", "state": "absent"},
            {"name": "c", "state": "stopped"},
            {"name": "d", "state": "present"},
            {"name": "e", "state": "stopped", "depends": ["c"]},
        ]
    ) == [
        "jail a: jails[0].depends[0]: jails[1] says that b is to be absent; let a be absent as well, or take b out of"
        " here",
        "jail a: jails[0].depends[1]: jails[2] says that c is to be stopped; let a be stopped as well, or take c out of"
        " here",
    ]


def test_every_circle_is_reported():
    jails = [{"name": name, "depends": [need]} for name, need in ["ab", "ba", "cd", "de", "ec", "fa"]]
    assert complaints(jails) == [
        "jail a: jails[0].depends: jails depend on each other in a circle: a -> b -> a; take one of them out of the"
        " list of another",
        "jail c: jails[2].depends: jails depend on each other in a circle: c -> d -> e -> c; take one of them out of"
        " the list of another",
    ]


def stored(name, **options):
    return normalise({"name": name, **options}, jail=name)


def test_what_the_host_has_is_taken():
    members = members_of([web(1, depends=["db1", "dbx"]), web(2)], {"ip": {"mode": "vnet"}})
    others = {
        "db1": stored("db1", ip={"mode": "vnet", "addresses": ["10.20.0.2"]}),
        "db2": stored("db2", ip={"mode": "none"}, depends=["gone"]),
    }
    assert [str(error) for error in conflicts(members, others)] == [
        "jail web2: jails[1].ip.addresses[0]: 10.20.0.2/32 is taken by jail db1 of this host; give each jail one of its"
        " own",
        "jail web1: jails[0].depends[1]: there is no jail dbx; list it in jails, or take it out of here",
    ]


def test_a_circle_through_the_host_is_reported_from_the_task_and_a_circle_of_others_is_not():
    members = members_of([{"name": "m", "depends": ["x"]}])
    others = {name: stored(name, depends=[need]) for name, need in ["xy", "ym", "pq", "qp"]}
    [error] = conflicts(members, others)
    assert error.path == "jails[0].depends"
    assert "circle: m -> x -> y -> m;" in str(error)


def test_an_address_is_one_hosts_and_a_name_may_be_anybodys():
    first = members_of([web(1), web(2)], {"ip": {"mode": "vnet"}})
    second = members_of([web(1), web(3)], {"ip": {"mode": "vnet"}})
    third = members_of([web(1, state="absent"), web(4)], {"ip": {"mode": "vnet"}})
    assert {
        host: [str(error) for error in errors] for host, errors in across({"a": first, "b": second, "c": third}).items()
    } == {
        "b": [
            "jail web1: jails[0].ip.addresses[0]: 10.20.0.1/32 is taken by jails[0].ip.addresses[0] (jail web1) of host"
            " a; give each jail one of its own"
        ]
    }


def test_addresses_of_hosts_that_were_read_before_count():
    taken = {}
    members = members_of([web(1)], {"ip": {"mode": "vnet"}})
    assert across({"a": members}, taken) == {}
    assert across({"a": members}, taken) == {}
    assert [error.path for error in across({"b": members}, taken)["b"]] == ["jails[0].ip.addresses[0]"]


OWNED = {f"web{number:02}": stored(f"web{number:02}", labels={"fleet": "acme"}) for number in range(1, 21)}
FOREIGN = {"mail": stored("mail", labels={"fleet": "other"}), "dns": stored("dns")}


def kept(*numbers):
    return members_of([{"name": f"web{number:02}"} for number in numbers])


def test_only_jails_of_the_fleet_that_the_task_does_not_name_are_purged():
    assert purge(kept(*range(3, 21)), {**OWNED, **FOREIGN}, fleet="acme", purge="absent") == ["web01", "web02"]


def test_nothing_is_purged_unless_it_is_said():
    assert purge([], {**OWNED, **FOREIGN}, fleet="acme", purge="none") == []


def complaint_of(function, *arguments, **options):
    with pytest.raises(Exception) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_an_empty_list_purges_nothing_unless_it_is_allowed():
    said = complaint_of(purge, [], OWNED, fleet="acme", purge="absent", limit="100%")
    assert said == (
        "jails: is empty, so that all of fleet acme would be purged: web01, web02, web03, web04, web05 and 15 more;"
        " list the jails that are to stay, or say allow_empty: true (of the role fleet: fleet_allow_empty)"
    )
    assert purge([], OWNED, fleet="acme", purge="absent", limit="100%", allow_empty=True) == sorted(OWNED)
    assert purge([], FOREIGN, fleet="acme", purge="absent") == []


@pytest.mark.parametrize(
    ("limit", "purged", "allowed"),
    [
        ("25%", 5, True),
        ("25%", 6, False),
        (6, 6, True),
        ("6", 7, False),
        (0, 1, False),
        ("0%", 1, False),
        ("1%", 1, True),
        ("1%", 2, False),
        ("100%", 19, True),
    ],
)
def test_more_than_the_limit_is_refused(limit, purged, allowed):
    members = kept(*range(purged + 1, 21))
    if allowed:
        assert len(purge(members, OWNED, fleet="acme", purge="absent", limit=limit)) == purged
        return
    said = complaint_of(purge, members, OWNED, fleet="acme", purge="absent", limit=limit)
    assert said.startswith(
        f"purge: {purged} jails of fleet acme are not in the list, and purge_limit ({limit}) allows "
    )
    assert said.endswith(f"; say purge_limit: {purged} (of the role fleet: fleet_purge_limit) if all of them are to go")


def test_jails_that_are_stopped_already_do_not_count():
    members = kept(*range(11, 21))
    settled = [f"web{number:02}" for number in range(1, 10)]
    assert purge(members, OWNED, fleet="acme", purge="stopped", settled=settled) == ["web10"]


@pytest.mark.parametrize("limit", ["x", "-1", "1.5", "%", True, None, "25 %", "1" * 40])
def test_a_limit_that_is_none_is_refused_even_if_nothing_is_purged(limit):
    said = complaint_of(purge, kept(1), {}, fleet="acme", purge="none", limit=limit)
    assert said.endswith("is neither a number nor a share; write a number of jails or their share, as in 10 or 25%")


@given(st.lists(raw_documents(), max_size=4), raw_documents(with_rootfs=False))
def test_reading_twice_changes_nothing(raws, defaults):
    """What a fleet says of a jail, written out in full without defaults, says the same."""
    jails = [{**raw, "name": f"jail{index}", "depends": []} for index, raw in enumerate(raws)]
    members, _errors = read(jails, {**defaults, "depends": []})
    written = [{**member.document, "state": member.state} for member in members]
    again, _errors = read(written)
    assert again == [
        Member(member.name, f"jails[{index}]", member.state, member.document) for index, member in enumerate(again)
    ]
    assert [member.document for member in again] == [member.document for member in members]


@given(documents())
def test_a_fleet_of_one_wants_what_the_document_says(document):
    [member] = members_of([{**document, "name": JAIL, "depends": []}])
    labels = {**document.get("labels", {}), "fleet": "acme"}
    expected = {name: value for name, value in document.items() if name != "depends"}
    assert effective(member.document) == effective({**expected, "labels": dict(sorted(labels.items()))})


@given(junk, junk)
def test_no_junk_breaks_the_reading(jails, defaults):
    read(jails, defaults, fleet=jails)
    read([jails], defaults)
    read([{"name": "web[1:2]", "state": jails, "labels": jails, "ip": defaults}], None)
