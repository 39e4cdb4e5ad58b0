# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs as they are installed everywhere, in jails on the host's stack: they need not know of it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host
from ansible_collections.hosting.jails.tests.integration.engine.shared_host import A4, A6, B4, B6, HOST4, HOST6

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.usefixtures("shared")

A, B = "shr-a", "shr-b"


def debian() -> dict[str, object]:
    return {"rootfs": {"source": {"archive": {"path": str(jails.debian_root())}}}, "mounts": []}


def status_of(address: str, port: int = 80) -> str:
    """The first line of what a web server answers to the host, or why there is none."""

    def asked() -> str:
        try:
            with socket.create_connection((address, port), timeout=1) as made:
                made.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return made.recv(100).decode().partition("\r\n")[0]
        except OSError as error:
            return type(error).__name__

    if address in (HOST4, HOST6):
        return asked()
    return jails.wait_until(lambda: (said := asked()).startswith("HTTP") and said, what="the web server")


def test_nginx_of_debian_answers_on_the_addresses_of_its_jail_and_nowhere_else() -> None:
    """Its configuration listens on every address, of both families."""
    command = ["nginx", "-g", "daemon off;"]
    with host.jail(A, A4, A6, command=command, **debian()), host.jail(B, B4, B6, command=command, **debian()):
        for address in (A4, A6, B4, B6):
            assert status_of(address) == "HTTP/1.1 200 OK"
        for address in (HOST4, HOST6):
            assert status_of(address) == "ConnectionRefusedError"


def test_a_whole_debian_boots_and_serves() -> None:
    with host.jail(A, A4, A6, init="system", command=[], **debian()) as jail:
        for address in (A4, A6):
            assert status_of(address) == "HTTP/1.1 200 OK"
        for address in (HOST4, HOST6):
            assert status_of(address) == "ConnectionRefusedError"
        assert jail.output("systemctl", "is-system-running", "--wait").strip() == "running"
        reload = jail.run("systemctl", "reload", "nginx")
        assert reload.returncode == 0, reload


def test_a_server_that_wants_ipv6_alone_needs_an_ipv6_address() -> None:
    """A dual-stack one gets the IPv4 address; which of the two it is no program on the hook can see (D.6)."""
    with host.jail(A, A4) as jail:
        bind = "s = socket(AF_INET6); s.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, int(sys.argv[1])); s.bind(('::', 80))"
        bind = f"{bind}; print(s.getsockname()[0])"
        assert host.python(jail, bind, "1") == "EINVAL"
        assert host.python(jail, bind, "0") == f"::ffff:{A4}"


def workers_in(jail: jails.Jail) -> set[str]:
    return set(jail.run("pgrep", "-f", "nginx: worker").stdout.split())


def test_addresses_change_under_a_running_nginx() -> None:
    def write(*listens: str) -> str:
        listen = "; ".join(f"listen {address}:80" for address in listens)
        return f"echo 'events {{}} http {{ server {{ {listen}; }} }}' > /etc/nginx/nginx.conf"

    command = ["sh", "-c", f"{write(A4)}; exec nginx -g 'daemon off;'"]
    with host.jail(A, A4, A6, command=command, **debian()) as jail:
        pid = jail.pid
        assert status_of(A4) == "HTTP/1.1 200 OK"
        jail.converge(part="ip", ip={"addresses": host.prefixed(A4, B4)})
        workers = workers_in(jail)
        jail.script(f"{write(A4, B4)}; nginx -s reload")
        # One that still serves would hang up by itself what the address is to be taken from.
        jails.wait_until(lambda: not workers_in(jail) & workers, what="the workers of before to be gone")
        assert status_of(B4) == status_of(A4) == "HTTP/1.1 200 OK"
        with socket.create_connection((A4, 80), timeout=jails.PATIENCE) as held:
            held.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert held.recv(100).startswith(b"HTTP/1.1 200")
            jail.converge(part="ip", ip={"addresses": host.prefixed(B4)})
            held.settimeout(0.5)
            # Ended by the kernel, or where that cannot do it, in vain (report: removed addresses).
            with pytest.raises((ConnectionResetError, TimeoutError)):
                held.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                while held.recv(4096):
                    continue
        assert status_of(B4) == "HTTP/1.1 200 OK"
        assert jail.pid == pid


@pytest.mark.parametrize(
    "command",
    [
        ["curl", "--silent", "--max-time", "30", f"http://{HOST4}:%d/"],
        ["ssh", "-o", "ConnectTimeout=30", "-o", "StrictHostKeyChecking=no", "-p", "%d", f"nobody@{HOST4}"],
        ["wget", "--quiet", "--tries=1", "--timeout=30", f"http://{HOST4}:%d/"],
    ],
    ids=lambda command: command[0],
)
def test_a_client_comes_from_the_address_of_its_jail(command: list[str]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"this machine has no {command[0]}")
    with host.jail(A, A4, A6) as jail, socket.socket() as server:
        server.bind((HOST4, 0))
        server.listen(1)
        server.settimeout(jails.PATIENCE)
        peers: list[str] = []

        def accept() -> None:
            connection, peer = server.accept()
            peers.append(peer[0])
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        host.python(jail, "open('/etc/passwd', 'w').write('root:x:0:0:root:/root:/bin/sh\\n')")
        jail.run(*[word.replace("%d", str(server.getsockname()[1])) for word in command])
        thread.join()
        assert peers == [A4]


def test_names_are_resolved_from_the_address_of_the_jail() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST4, 53))
        server.settimeout(jails.PATIENCE)
        asking: list[str] = []

        def answer() -> None:
            query, peer = server.recvfrom(512)
            asking.append(peer[0])
            question = query[12:]
            # One answer: an address for the name that was asked for (RFC 1035, section 4).
            found = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton("192.0.2.80")
            server.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + found, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        ask = "print(gethostbyname('www.example.org'))"
        with host.jail(A, A4, A6, ip={"dns": {"servers": [HOST4]}}) as jail:
            assert host.python(jail, ask) == "192.0.2.80"
        thread.join()
        assert asking == [A4]


def test_the_host_reaches_a_jail_by_its_own_tools() -> None:
    with host.jail(A, A4, command=host.server(8080, "0.0.0.0")):
        host.ask(A4, 8080)
        shown = subprocess.run(["ss", "-Hltn", "sport = :8080"], capture_output=True, text=True, check=True).stdout
        assert f"{A4}:8080" in shown
