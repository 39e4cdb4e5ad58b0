# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A jail on the host's network stack that loses an address has nothing open from it any more, and everything else."""

from __future__ import annotations

import errno
import socket
import subprocess

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import truth
from ansible_collections.hosting.jails.plugins.module_utils._kernel import socket_ends
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host
from ansible_collections.hosting.jails.tests.integration.engine.shared_host import A4, A6, B4, B6, HOST4, HOST6

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("shared")

A = "shr-a"


# Holds whatever it has open from both addresses, and says what becomes of it.
HOLDER = """
import socket, sys, time
family, own, other, target, port = sys.argv[1], *sys.argv[2:5], int(sys.argv[5])
def made(kind, address):
    if ":" in own:
        one = socket.socket(socket.AF_INET6, kind)
    elif family == "mapped":
        one, address = socket.socket(socket.AF_INET6, kind), "::ffff:" + address
    else:
        one = socket.socket(socket.AF_INET, kind)
    one.bind((address, 0))
    one.connect(("::ffff:" + target if family == "mapped" else target, port))
    one.settimeout(20)
    return one
held = [made(kind, address) for address in (own, other) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
print("held", flush=True)
sys.stdin.readline()
for one in held:
    one.settimeout(0.2)
    try:
        one.recv(1)
        print("closed", flush=True)
    except TimeoutError:
        print("open", flush=True)
    except OSError as error:
        print(error.errno, flush=True)
"""


@pytest.mark.parametrize("family", ["IPv4", "IPv6", "mapped"])
def test_what_is_open_from_an_address_ends_with_it_and_nothing_else_does(family: str) -> None:
    (own, other, target, kind) = (
        (A6, B6, HOST6, socket.AF_INET6) if family == "IPv6" else (A4, B4, HOST4, socket.AF_INET)
    )
    with (
        host.jail(A, own, other) as jail,
        socket.socket(kind) as server,
        socket.socket(kind, socket.SOCK_DGRAM) as datagrams,
    ):
        server.bind((target, 0))
        server.listen()
        port = server.getsockname()[1]
        datagrams.bind((target, port))
        command = ("exec", A, "--", "/usr/bin/python3", "-c", HOLDER, family, own, other, target, str(port))
        with subprocess.Popen(
            jails.jailctl_command(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdin and holder.stdout
            assert holder.stdout.readline() == "held\n"
            accepted = dict(reversed(server.accept()) for _unused in range(2))  # type: ignore[misc,arg-type]
            by_source = {peer[0]: connection for peer, connection in accepted.items()}
            jail.converge(part="ip", ip={"addresses": host.prefixed(other)})
            by_source[own].settimeout(jails.PATIENCE)
            with pytest.raises(ConnectionResetError):
                by_source[own].recv(1)
            holder.stdin.write("\n")
            holder.stdin.flush()
            gone = str(errno.ECONNABORTED)
            assert holder.stdout.read().split() == [gone, gone, "open", "open"]
            by_source[other].close()
        assert host.python(jail, f"socket({int(kind)}).bind(('{own}', 0))") == "EADDRNOTAVAIL"


def test_a_kernel_that_ends_no_connections_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_ends, "is_available", lambda: False)
    document = {"name": A, "ip": {"mode": "shared", "addresses": [f"{A4}/32"]}}
    rows = {finding.item: finding for finding in truth.report_on(effective(document))}
    assert rows["removed addresses"].verdict == "partial"
    assert "time out" in rows["removed addresses"].why


def test_a_listener_on_an_address_that_goes_answers_nobody() -> None:
    with host.jail(A, A4, B4, command=host.server(80, A4, B4)) as jail:
        assert host.ask(A4, 80) == host.ask(B4, 80).replace(B4, A4) == A4
        jail.converge(part="ip", ip={"addresses": host.prefixed(B4)})
        assert host.ask(A4, 80, listens=False, seconds=0.3) in (
            "timeout",
            "EHOSTUNREACH",
            "ENETUNREACH",
            "ECONNREFUSED",
        )
        assert host.ask(B4, 80) == B4
        jail.converge(part="ip", ip={"addresses": host.prefixed(A4, B4)})
        assert host.ask(A4, 80) == A4
