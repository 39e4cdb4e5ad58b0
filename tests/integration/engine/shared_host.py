# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that belongs to one test, with a link that jails on its stack have addresses on, and jails with Python.

The network is a namespace of the test's own, and so are the engine's directories (``private_state``); the supervisor is
a child of the test. The jails' programs are the machine's own, mounted read-only into an empty root.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._kernel import sysctls
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import network_host

LINK, HOST4, HOST6 = "eth0", "10.35.0.1", "fd00:35::1"
A4, B4, A6, B6 = "10.35.0.11", "10.35.0.12", "fd00:35::11", "fd00:35::12"
OTHER4, OTHER6 = "10.35.0.21", "fd00:35::21"
_PROGRAMS = (("/usr", "/usr"), ("/usr/bin", "/bin"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"))


def prefixed(*addresses: str) -> list[str]:
    return [f"{address}/{128 if ':' in address else 32}" for address in addresses]


def enter() -> None:
    """Leave the machine's network for one with a link that is up and has the host's own addresses."""
    network_host.enter_private_host()
    # Anybody may send echo requests, as on hosts with systemd; no address has to be waited for.
    sysctls.write("net/ipv4/ping_group_range", "0 2147483647")
    sysctls.write("net/ipv6/conf/default/accept_dad", "0")
    ip(f"link add {LINK} type veth peer name lan")
    for link in (LINK, "lan"):
        ip(f"link set {link} up")
    ip(f"address add {HOST4}/24 dev {LINK}")
    ip(f"address add {HOST6}/64 dev {LINK} nodad")


def ip(command: str) -> str:
    """Run ip(8) on the host."""
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=True)
    return done.stdout


def addresses() -> list[str]:
    """What the host's link carries, without what the kernel gives every link."""
    lines = ip(f"-oneline address show dev {LINK} scope global").splitlines()
    return [line.split()[3] for line in lines]


def definition(*own: str, **document: Any) -> dict[str, Any]:
    """Options of a jail that shares the host's stack."""
    mounts = [{"source": source, "target": target, "read_only": True} for source, target in _PROGRAMS]
    network = {"mode": "shared", "interface": LINK, "addresses": prefixed(*own), **document.pop("ip", {})}
    command = document.pop("command", ["/usr/bin/sleep", "1000"])
    return {"rootfs": {"source": {"empty": True}}, "mounts": mounts, "command": command, "ip": network, **document}


@contextlib.contextmanager
def jail(name: str, *own: str, state: str | None = "started", **document: Any) -> Iterator[jails.Jail]:
    """A jail with addresses for the length of a block."""
    made = jails.Jail(name)
    try:
        made.converge(state=state, **definition(*own, **document))
        yield made
    finally:
        made.remove()


def python(where: jails.Jail, program: str, *arguments: str) -> str:
    """What a program prints that runs in a jail; an OSError that ends it is printed by its name."""
    wrapped = (
        "import errno, socket, sys\nfrom socket import *\ntry:\n"
        + "".join(f"    {line}\n" for line in program.splitlines())
        + "except OSError as error:\n    print(errno.errorcode.get(error.errno, error))\n"
    )
    return where.output("/usr/bin/python3", "-c", wrapped, *arguments).strip()


def bound(where: jails.Jail, address: str, port: int = 0) -> str:
    """What binding to an address binds to in a jail, or the errno."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    return python(where, f"s = socket({family}); s.bind(('{address}', {port})); print(s.getsockname()[0])")


SERVER = """
import socket, sys
listeners = []
for address in sys.argv[2:]:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, int(sys.argv[1])))
    made.listen(16)
    listeners.append(made)
import select
while True:
    for ready in select.select(listeners, [], [])[0]:
        connection, peer = ready.accept()
        connection.sendall(peer[0].encode())
        connection.close()
"""


def server(port: int, *listens: str) -> list[str]:
    """A command that tells everyone who connects to a port where he comes from."""
    return ["/usr/bin/python3", "-c", SERVER, str(port), *listens]


def ask(address: str, port: int, *, listens: bool = True, seconds: float = jails.PATIENCE) -> str:
    """What that server says to the host, or the errno; one that ``listens`` may need a moment for that."""

    def said() -> str:
        try:
            with socket.create_connection((address, port), timeout=seconds) as made:
                return made.recv(100).decode()
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    end = time.monotonic() + seconds
    while (answer := said()) == "ECONNREFUSED" and listens and time.monotonic() < end:
        time.sleep(0.02)
    return answer
