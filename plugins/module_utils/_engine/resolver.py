# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel import files

_HOST_CONFIGURATION = "/etc/resolv.conf"
# What systemd-resolved forwards to, where the host's own file only names its stub on 127.0.0.53 (resolved.conf(5)).
_RESOLVED_CONFIGURATION = "/run/systemd/resolve/resolv.conf"
_HEADER = "# Written by hosting.jails at each start of this jail; set ip.dns in its document.\n"


def resolver_files(document: Mapping[str, Any]) -> dict[str, str]:
    """The files of a jail that have to do with names: path in the jail -> content. For an effective document.

    /etc/hostname and /etc/hosts always. /etc/resolv.conf where the document says ``ip.dns`` or the jail has a way to
    the host's name servers; a jail that boots its own system keeps its own where the document says nothing.
    """
    contents = {"/etc/hostname": f"{document['hostname']}\n", "/etc/hosts": _hosts(document)}
    configuration = _configuration(document)
    return {**contents, "/etc/resolv.conf": _HEADER + configuration} if configuration else contents


def _hosts(document: Mapping[str, Any]) -> str:
    """hosts(5): the jail's own name leads to its own addresses, and to loopback where it has none."""
    names = document["hostname"]
    short = names.partition(".")[0]
    if short != names:
        names = f"{names} {short}"
    addresses = [address.partition("/")[0] for address in document["ip"]["addresses"]] or ["127.0.1.1"]
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    return "".join(f"{line}\n" for line in lines + [f"{address} {names}" for address in addresses])


def _configuration(document: Mapping[str, Any]) -> str:
    """Lines of resolv.conf(5), empty where the jail's own file is to stay."""
    ip = document["ip"]
    dns, mode = ip["dns"], ip["mode"]
    if any(dns.values()):
        servers = [["nameserver", server] for server in dns["servers"]] or _servers(_host_lines(mode), mode)
        others = [[keyword, *dns[keyword]] for keyword in ("search", "options") if dns[keyword]]
        return _joined(servers + others)
    if mode == "none" or document["init"] == "system":
        return ""
    lines = _host_lines(mode)
    return _joined(_servers(lines, mode) + [words for words in lines if words[0] in ("search", "domain", "options")])


def _host_lines(mode: str) -> list[list[str]]:
    """The words of the host's configuration, of the first file that has a name server of use in the jail."""
    for path in (_HOST_CONFIGURATION, _RESOLVED_CONFIGURATION):
        lines = [line.split() for line in (files.read_text(path) or "").splitlines() if line.strip()]
        if _servers(lines, mode):
            return lines
    return []


def _servers(lines: list[list[str]], mode: str) -> list[list[str]]:
    """Lines of name servers; one on the host's loopback answers only who shares the host's network stack."""
    servers = [words for words in lines if words[0] == "nameserver" and len(words) > 1]
    if mode == "host":
        return servers
    return [words for words in servers if not words[1].startswith("127.") and words[1] != "::1"]


def _joined(lines: list[list[str]]) -> str:
    return "".join(" ".join(words) + "\n" for words in lines)
