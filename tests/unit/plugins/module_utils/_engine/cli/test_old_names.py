# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""jls(8) and vserver-stat print what they have always printed."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import jls, vserver_stat
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli.usage import UsageError
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError


def row(name, number, **said):
    return {
        "name": name,
        "id": number,
        "state": "running",
        "hostname": name,
        "addresses": [],
        "depends": [],
        "limits": {},
        "ip_mode": "none",
        **said,
    }


ROWS = [
    row("web1", 12, hostname="www.example.org", addresses=["10.32.0.11/32", "fd00:32::11/128"], ip_mode="vnet"),
    row("db1", 3, depends=["web1", "dns1"], limits={"cpuset": "0"}),
    row("off1", 4, state="stopped"),
    row("held", 5, state="stuck", ip_mode="host", hostname="it's held"),
]


@pytest.fixture
def run(monkeypatch, capsys):
    """``run(words)``: what jls prints of four jails."""
    monkeypatch.setattr(jls.store, "names", lambda: [found["name"] for found in ROWS])
    monkeypatch.setattr(jls.report, "describe_all", lambda names: [found for found in ROWS if found["name"] in names])

    def call(words):
        assert jls.jls(words.split()) == 0
        return capsys.readouterr().out

    return call


def test_the_table_has_the_columns_of_freebsd(run):
    assert run("") == (
        "   JID  IP Address      Hostname                      Path\n"
        "     3                  db1                           /var/lib/jails/roots/db1\n"
        "    12  10.32.0.11      www.example.org               /var/lib/jails/roots/web1\n"
    )


def test_the_table_can_have_names(run):
    assert run("-N").splitlines()[:2] == [
        " JID             IP Address      Hostname                      Path",
        " db1                             db1                           /var/lib/jails/roots/db1",
    ]


def test_a_block_has_all_addresses(run):
    assert run("-v -j web1") == (
        "   JID  Hostname                      Path\n"
        "        Name                          State\n"
        "        CPUSetID\n"
        "        IP Address(es)\n"
        "    12  www.example.org               /var/lib/jails/roots/web1\n"
        "        web1                          ACTIVE\n"
        "        0\n"
        "        10.32.0.11\n"
        "        fd00:32::11\n"
    )


@pytest.mark.parametrize(
    ("words", "output"),
    [
        ("jid name", "3 db1\n12 web1\n"),
        ("-h jid name", "jid name\n3 db1\n12 web1\n"),
        ("-n -j 12 jid ip4.addr dying", "jid=12 ip4.addr=10.32.0.11 nodying\n"),
        ("-j db1 ip4.addr ip4 depend", "- disable web1,dns1\n"),
        ("-q -j db1 ip4.addr", '""\n'),
        ("-n -j db1 ip4.addr", "ip4.addr=\n"),
        ("-dq -j held host.hostname ip4", '"it\'s held" inherit\n'),
        ("-d jid dying", "3 false\n5 true\n12 false\n"),
        ("-a jid", "3\n5\n12\n"),
        ("-j12 name", "web1\n"),
        ("-s -j db1 jid dying ip4.addr cpuset.id vnet", "jid=3 vnet=new\n"),
        ("-j web1 -- name", "web1\n"),
    ],
)
def test_parameters_are_printed_as_asked(run, words, output):
    assert run(words) == output


def test_all_parameters_begin_with_those_of_the_whole_jail(run):
    header, values = run("-h -j web1").splitlines()
    names = header.split()
    assert names == [*sorted(name for name in names if "." not in name), *sorted(name for name in names if "." in name)]
    assert len(values.split(" ")) == len(names)


@pytest.mark.parametrize("words", ["--libxo json", "--libxo=json", "--libxo:J", "--libxo json,pretty", "--libxo:JP"])
def test_programs_get_json_as_from_libxo(run, words):
    output = run(f"{words} -j web1")
    jail = {"jid": 12, "ipv4": "10.32.0.11", "hostname": "www.example.org", "path": "/var/lib/jails/roots/web1"}
    assert json.loads(output) == {"__version": "2", "jail-information": {"jail": [jail]}}
    assert ("\n " in output) == ("pretty" in words or "P" in words)


def test_json_of_a_block_and_of_parameters(run):
    (block,) = json.loads(run("--libxo json -v -j web1"))["jail-information"]["jail"]
    assert (block["state"], block["cpusetid"]) == ("ACTIVE", 0)
    assert (block["ipv4_addrs"], block["ipv6_addrs"]) == (["10.32.0.11"], ["fd00:32::11"])
    (chosen,) = json.loads(run("--libxo json -n -j db1 jid ip4.addr dying"))["jail-information"]["jail"]
    assert chosen == {"jid": "3", "ip4.addr": [], "dying": False}


@pytest.mark.parametrize("words", ["-j off1", "-j 4", "-j nobody", "-j 77", "name no.such"])
def test_what_is_not_there_is_an_error(run, words):
    with pytest.raises(EngineError, match="not found|unknown parameter"):
        jls.jls(words.split())


@pytest.mark.parametrize("words", ["-x", "-j", "--libxo xml", "--libxo", "--json"])
def test_what_is_no_option_is_an_error(run, words):
    with pytest.raises(UsageError):
        jls.jls(words.split())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 "),
        (999, "999 "),
        (1000, "0.9K"),
        (1024, "1K"),
        (95329484, "90.9M"),
        (1 << 40, "1T"),
        (1 << 60, "1048576T"),
    ],
)
def test_sizes_are_short(value, text):
    assert vserver_stat._size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0m00s00"),
        (58.759, "0m58s75"),
        (3600, "1h00m00"),
        (2 * 86400 + 4 * 3600 + 12 * 60, "2d04h12"),
        (1000 * 86400, "2y270d00"),
    ],
)
def test_times_have_their_largest_units(seconds, text):
    assert vserver_stat._time(seconds) == text


def test_a_line_fits_under_the_header():
    line = vserver_stat._line(7, vserver_stat._Sum(48, 95329484, 27577548), (58.75, 42.57), 187920, "web1")
    assert line == "7       48  90.9M  26.2M   0m58s75   0m42s57   2d04h12 web1"
    assert [line[at:] for at in (55,)] == ["web1"]
    assert vserver_stat._HEADER.index("NAME") == 55
