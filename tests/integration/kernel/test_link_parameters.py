# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters of a link, as rtnetlink gives them along with the link."""

from __future__ import annotations

import contextlib
import json
import subprocess

from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces, processes, sysctls
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.link_parameters import parameters_of
from ansible_collections.hosting.jails.plugins.module_utils._kernel.rtnetlink import Reader

LINK = "jlt0"


def _differences() -> bytes:
    """Where the two ways to look differ, whatever the parameters are; in a network namespace that ends with us."""
    namespaces.unshare(namespaces.NEWNET)
    subprocess.run(["ip", "link", "add", LINK, "type", "veth", "peer", "name", "jlt1"], check=True)
    found = []
    with Reader() as reader:
        for name in _parameters(reader):
            for value in ("0", "1", "2"):
                with contextlib.suppress(KernelError):  # it takes no such value
                    sysctls.write(name, value)
                found += [
                    [key, seen, true]
                    for key, seen in _parameters(reader).items()
                    for true in [sysctls.read(key)]
                    if seen != true
                ]
        return json.dumps([sorted(_parameters(reader)), found]).encode()


def _parameters(reader: Reader) -> dict[str, str]:
    link = reader.link(name=LINK)
    assert link is not None
    return parameters_of(link)


def test_the_parameters_that_come_with_a_link_are_those_in_proc() -> None:
    names, differences = json.loads(processes.run_in_child(_differences))
    assert differences == []
    assert {f"net/ipv4/conf/{LINK}/rp_filter", f"net/ipv4/conf/{LINK}/forwarding"} <= set(names)
