# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files by which a jail finds names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import resolver
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise

PLAIN = "# by hand\nnameserver 192.0.2.53\nnameserver 127.0.0.1\nsearch example.net\noptions ndots:2"
STUB = "nameserver 127.0.0.53\noptions edns0\nsearch lan\n"
BEHIND_THE_STUB = "nameserver 192.0.2.1\nsearch lan\n"


@pytest.fixture
def host_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    contents = {"/etc/resolv.conf": PLAIN}
    monkeypatch.setattr(files, "read_text", contents.get)
    return contents


def written(**options: Any) -> dict[str, str]:
    document = {"name": "web1", **options}
    return resolver.resolver_files(effective(normalise(document, jail="web1")))


def configuration(**options: Any) -> list[str]:
    lines = written(**options)["/etc/resolv.conf"].splitlines()
    assert lines[0].startswith("#")
    return lines[1:]


def test_a_jail_knows_its_own_names_by_its_own_addresses() -> None:
    ip = {"mode": "vnet", "addresses": ["10.20.0.11", "fd00:20::11"]}
    contents = written(hostname="web1.example.org", ip=ip)
    assert contents["/etc/hostname"] == "web1.example.org\n"
    assert contents["/etc/hosts"].splitlines() == [
        "127.0.0.1 localhost",
        "::1 localhost ip6-localhost ip6-loopback",
        "10.20.0.11 web1.example.org web1",
        "fd00:20::11 web1.example.org web1",
    ]


def test_a_jail_without_addresses_knows_its_own_name_by_loopback() -> None:
    assert written()["/etc/hosts"].splitlines()[-1] == "127.0.1.1 web1"


def test_what_the_document_says_is_all_there_is(host_files: dict[str, str]) -> None:
    dns = {"servers": ["10.20.0.53", "fd00:20::53"], "search": ["a.example", "b.example"], "options": ["ndots:3"]}
    assert configuration(ip={"mode": "vnet", "addresses": ["10.20.0.11"], "dns": dns}) == [
        "nameserver 10.20.0.53",
        "nameserver fd00:20::53",
        "search a.example b.example",
        "options ndots:3",
    ]


def test_without_servers_in_the_document_those_of_the_host_serve(host_files: dict[str, str]) -> None:
    ip = {"mode": "vnet", "addresses": ["10.20.0.11"], "dns": {"search": ["a.example"]}}
    assert configuration(ip=ip) == ["nameserver 192.0.2.53", "search a.example"]


def test_name_servers_on_the_host_loopback_are_of_no_use_to_a_stack_of_its_own(host_files: dict[str, str]) -> None:
    ip = {"mode": "vnet", "addresses": ["10.20.0.11"]}
    assert configuration(ip=ip) == ["nameserver 192.0.2.53", "search example.net", "options ndots:2"]
    assert "nameserver 127.0.0.1" in configuration(ip={"mode": "host"})


def test_a_stub_resolver_of_the_host_is_passed_over(host_files: dict[str, str]) -> None:
    host_files.update({"/etc/resolv.conf": STUB, "/run/systemd/resolve/resolv.conf": BEHIND_THE_STUB})
    assert configuration(ip={"mode": "vnet", "addresses": ["10.20.0.11"]}) == ["nameserver 192.0.2.1", "search lan"]
    assert "nameserver 127.0.0.53" in configuration(ip={"mode": "host"})


def test_a_jail_that_reaches_no_name_server_keeps_its_own_file(host_files: dict[str, str]) -> None:
    assert "/etc/resolv.conf" not in written(ip={"mode": "none"})
    host_files.clear()
    assert "/etc/resolv.conf" not in written(ip={"mode": "vnet", "addresses": ["10.20.0.11"]})


def test_a_jail_that_boots_a_system_keeps_its_own_file_unless_told(host_files: dict[str, str]) -> None:
    ip = {"mode": "vnet", "addresses": ["10.20.0.11"]}
    assert "/etc/resolv.conf" not in written(init="system", ip=ip)
    assert configuration(init="system", ip={**ip, "dns": {"servers": ["10.0.0.1"]}}) == ["nameserver 10.0.0.1"]
