# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a TCP connection on the wire of a set and hand the socket to ssh, which asks for it with ProxyUseFdpass.

A socket belongs to the network namespace that it was opened in, whoever uses it: ssh, and Ansible above it, stay in
the machine's own namespace and carry no byte for it. usage: connect.py PATH-OF-NAMESPACE ADDRESS PORT
"""

from __future__ import annotations

import array
import ctypes
import os
import socket
import sys

_CLONE_NEWNET = 0x40000000


def main(path: str, address: str, port: str) -> None:
    """Connect, and pass the descriptor through standard output, which is a socket."""
    fd = os.open(path, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET):
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    try:
        connection = socket.create_connection((address, int(port)), timeout=10)
    except OSError as error:
        sys.exit(f"{address} port {port}: {error}")
    connection.settimeout(None)
    with socket.socket(fileno=os.dup(1)) as ssh:
        ssh.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])


if __name__ == "__main__":
    main(*sys.argv[1:])
