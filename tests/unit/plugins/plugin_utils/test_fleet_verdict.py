# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.plugin_utils import _fleet_verdict
from ansible_collections.hosting.jails.plugins.plugin_utils._fleet_calls import Call
from ansible_collections.hosting.jails.plugins.plugin_utils._fleet_verdict import Verdict


def call(host, *addresses, target=None, **options):
    jails = [
        {"name": f"web{number}", "ip": {"mode": "vnet", "addresses": [address]}, **options}
        for number, address in enumerate(addresses)
    ]
    return Call(host, target or host, {"jails": jails, "fleet": "acme"})


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Asks as the task of each host does, and counts the documents that are read for it."""
    read = []
    original = _fleet_verdict.read_documents

    def counting(arguments):
        read.append(len(arguments["jails"]))
        return original(arguments)

    monkeypatch.setattr(_fleet_verdict, "read_documents", counting)

    def ask(own, foreseen, *, alone=True):
        read.clear()
        calls = [own if alone and call.host == own.host else call for call in foreseen]
        faults = Verdict(str(tmp_path / "task")).faults(own, lambda: calls, alone=alone)
        return [fault.line() for fault in faults], len(read)

    return ask


def test_the_first_host_reads_all_and_the_others_nothing(play):
    calls = [call(f"host{number}", f"10.30.0.{number}") for number in range(9)]
    assert [play(own, calls) for own in calls] == [([], 9), *[([], 0)] * 8]


def test_an_address_of_two_hosts_fails_all_of_them_the_own_faults_first(play):
    calls = [call("a", "10.30.0.1"), call("b", "10.30.0.2", "10.30.0.1"), call("c", "10.30.0.3", "10.30.0.2")]
    at_b = (
        "host b: jail web1: jails[1].ip.addresses[0]: 10.30.0.1/32 is taken by jails[0].ip.addresses[0] (jail web0) of"
        " host a; give each jail one of its own"
    )
    at_c = (
        "host c: jail web1: jails[1].ip.addresses[0]: 10.30.0.2/32 is taken by jails[0].ip.addresses[0] (jail web0) of"
        " host b; give each jail one of its own"
    )
    assert [play(own, calls)[0] for own in calls] == [[at_b, at_c], [at_b, at_c], [at_c, at_b]]


def test_who_asks_first_does_not_change_the_verdict(play):
    calls = [call("a", "10.30.0.1"), call("b", "10.30.0.1")]
    assert play(calls[1], calls)[0] == play(calls[0], calls)[0]


def test_a_bad_document_of_one_host_fails_the_others(play):
    calls = [call("a", "10.30.0.1"), call("b", "10.30.0.2", limits={"memory": "lots"})]
    [said] = play(calls[0], calls)[0]
    assert said.startswith("host b: jail web0: jails[0].limits.memory: 'lots' is not a size;")


def test_documents_that_turn_out_otherwise_are_read_again(play):
    foreseen = [call("a", "10.30.0.1"), call("b", "10.30.0.2", limits={"memory": "lots"})]
    assert len(play(foreseen[0], foreseen)[0]) == 1
    assert play(call("b", "10.30.0.2"), foreseen) == ([], 1)
    assert play(foreseen[0], foreseen) == ([], 0)
    [said], _read = play(call("b", "10.30.0.1"), foreseen)
    assert "taken by jails[0].ip.addresses[0] (jail web0) of host a" in said


def test_an_address_that_a_host_gives_up_is_free(play):
    foreseen = [call("a", "10.30.0.1"), call("b", "10.30.0.2")]
    assert play(call("a", "10.30.0.9"), foreseen) == ([], 2)
    assert play(call("b", "10.30.0.1"), foreseen) == ([], 1)


def test_a_host_that_could_not_be_foreseen_is_read_when_it_asks(play):
    assert play(call("a", "10.30.0.1"), []) == ([], 1)
    [said], _read = play(call("b", "10.30.0.1"), [])
    assert said.startswith("host b: ")


def test_the_turns_of_a_loop_stand_beside_each_other(play):
    turns = [call("a", "10.30.0.1"), call("a", "10.30.0.2"), call("b", "10.30.0.3")]
    assert play(turns[0], turns, alone=False) == ([], 3)
    assert play(turns[1], turns, alone=False) == ([], 0)
    assert play(turns[2], turns, alone=False) == ([], 0)
    [said], _read = play(call("b", "10.30.0.2"), turns, alone=False)
    assert "of host a" in said


def test_what_is_delegated_counts_where_it_goes(play):
    calls = [call("a", "10.30.0.1", target="x"), call("b", "10.30.0.1", target="x"), call("c", "10.30.0.1", target="y")]
    [said], _read = play(calls[0], calls)
    assert said.startswith("host c: ")
    assert "of host x;" in said


def test_nothing_of_the_documents_is_kept_but_their_addresses(play, tmp_path):
    own = call("a", "10.30.0.1", environment={"DB_PASSWORD": "geheim"})
    assert play(own, [own]) == ([], 1)
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "10.30.0.1" in kept
    assert "geheim" not in kept
