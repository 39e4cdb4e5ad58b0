# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenSSH as docs/services/openssh.md has it, used by its own clients."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import inside, pages
from ansible_collections.hosting.jails.tests.services.ground import LINK

PAGE = pages.Page("openssh")
ADDRESS, SHARED = "10.36.0.2", "10.35.0.37"
FILL_HOMES = ("DAC_OVERRIDE", "FOWNER")


class Client:
    """ssh and sftp with a key of their own."""

    def __init__(self, directory: Path) -> None:
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        quiet = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR"}
        said = {**quiet, "BatchMode": "yes", "ConnectTimeout": "3", "IdentitiesOnly": "yes"}
        options = [word for name, value in said.items() for word in ("-o", f"{name}={value}")]
        self.options = ["-F", "none", "-i", str(self.key), *options]

    @property
    def public_key(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()

    def command(self, *words: str, user: str = "alice", address: str = ADDRESS) -> list[str]:
        return ["ssh", *self.options, f"{user}@{address}", *words]

    def run(self, *words: str, **how: Any) -> str:
        """What a command prints that runs in the jail; it has to succeed."""
        standard = how.pop("input", None)
        return _output(self.command(*words, **how), standard=standard)

    def sftp(self, batch: str) -> str:
        return _output(["sftp", *self.options, "-b", "-", f"alice@{ADDRESS}"], standard=batch)


def _output(command: list[str], *, standard: str | None = None) -> str:
    done = subprocess.run(command, input=standard or "", capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(tmp_path_factory.mktemp("ssh"))


@pytest.fixture(scope="module")
def shell(machine: int, client: Client) -> Iterator[Jail]:
    with pages.serving(PAGE, machine, alice_key=client.public_key) as jail:
        yield jail


@pytest.mark.parametrize("user", ["alice", "root"])
def test_a_user_and_root_log_in_and_get_a_shell_of_their_own(shell: Jail, client: Client, user: str) -> None:
    assert client.run("id -un; hostname", user=user).split() == [user, "shell"]


def test_a_key_that_nobody_knows_is_refused(shell: Jail, tmp_path: Path) -> None:
    stranger = Client(tmp_path)
    done = subprocess.run(stranger.command("true"), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr


def test_files_go_there_and_back_by_sftp(shell: Jail, client: Client, tmp_path: Path) -> None:
    sent, received = tmp_path / "sent", tmp_path / "received"
    sent.write_bytes(os.urandom(8 << 20))
    client.sftp(f"put {sent} there\nchmod 600 there\nget there {received}\n")
    assert received.read_bytes() == sent.read_bytes()
    assert client.run("stat -c '%U %a %s' there").split() == ["alice", "600", str(8 << 20)]


def test_a_login_has_a_terminal_of_its_own(shell: Jail, client: Client) -> None:
    command = [*client.command()[:1], "-tt", *client.command("tty; stat -c '%U %G' $(tty); stty size")[1:]]
    name, owner, _size = _output(command).splitlines()
    assert name.startswith("/dev/pts/")
    assert owner == "alice tty"


def test_a_port_of_the_jail_is_reached_through_a_login(shell: Jail, client: Client) -> None:
    command = [*client.command()[:-1], "-W", f"{ADDRESS}:22", client.command()[-1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stdout.readline().startswith(b"SSH-2.0-OpenSSH")
        forwarding.kill()


def test_a_port_of_the_client_is_reached_from_the_jail(shell: Jail, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        forward = f"127.0.0.1:2222:127.0.0.1:{server.getsockname()[1]}"
        command = client.command("bash -c 'exec 3<>/dev/tcp/127.0.0.1/2222; echo hello >&3'")
        with subprocess.Popen([*command[:1], "-R", forward, *command[1:]], stdin=subprocess.DEVNULL):
            server.settimeout(10)
            connection, _unused = server.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(16) == b"hello\n"


def test_who_has_not_logged_in_yet_is_served_by_a_nobody_in_an_empty_directory_under_a_filter(shell: Jail) -> None:
    base = int(shell.describe()["uid_base"])
    separated = int(shell.output("id", "-u", "sshd"))
    with socket.create_connection((ADDRESS, 22), timeout=5) as waiting:
        assert waiting.recv(64).startswith(b"SSH-2.0")
        waiting.sendall(b"SSH-2.0-nobody\r\n")

        def unprivileged() -> dict[int, dict[str, str]]:
            found = inside.of(shell, "sshd")
            return {pid: status for pid, status in found.items() if status["Uid"].split()[0] == str(base + separated)}

        (pid,) = wait_until(unprivileged)
        status = unprivileged()[pid]
        assert os.listdir(f"/proc/{pid}/root") == []
        assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapPrm"], 16)) == ("1", "2", 0)
        assert int(status["Seccomp_filters"]) == 2


def test_nobody_becomes_root_by_a_program_unless_that_is_allowed(shell: Jail, client: Client) -> None:
    shell.script("echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice; echo 'alice:one-Two-3' | chpasswd")
    done = subprocess.run(client.command("sudo -n id -u"), capture_output=True, text=True, timeout=20, check=False)
    assert "no new privileges" in done.stderr
    with pages.changed(shell, caps=PAGE.others[0]["service_options"]["caps"]):
        wait_until(lambda: listening(ADDRESS))
        assert client.run("sudo -n id -u").strip() == "0"
        assert client.run("su alice -c 'id -un'", input="one-Two-3\n").strip() == "alice"
        client.run("passwd", input="one-Two-3\nfour-Five-6\nfour-Five-6\n")
        assert client.run("su alice -c 'id -un'", input="four-Five-6\n").strip() == "alice"


def test_a_new_home_is_empty_unless_the_jail_may_fill_it(shell: Jail) -> None:
    def home_of(user: str) -> list[str]:
        shell.output("useradd", "--create-home", user)
        return shell.output("ls", "-A", options=("--user", user)).split()

    assert home_of("bob") == []
    with pages.changed(shell, caps={"profile": "none", "keep": [*PAGE.document["caps"]["keep"], *FILL_HOMES]}):
        assert home_of("carol") == [".bash_logout", ".bashrc", ".profile"]


def test_it_is_reached_at_an_address_on_the_hosts_own_stack(shell: Jail, client: Client) -> None:
    ip = {"mode": "shared", "interface": LINK, "addresses": [f"{SHARED}/32"]}
    caps = {**PAGE.document["caps"], "keep": [*PAGE.document["caps"]["keep"], "NET_BIND_SERVICE"]}
    with pages.changed(shell, ip=ip, caps=caps):
        wait_until(lambda: listening(SHARED))
        assert client.run("id -un", address=SHARED).strip() == "alice"


@pytest.mark.parametrize("capability", PAGE.document["caps"]["keep"])
def test_it_needs_every_capability_that_its_page_keeps(shell: Jail, client: Client, capability: str) -> None:
    def log_in() -> None:
        wait_until(lambda: listening(ADDRESS), timeout=3)
        _output([*client.command()[:1], "-tt", *client.command("tty")[1:]])

    assert not pages.serves_without(shell, capability, log_in)


def test_accounts_and_host_keys_outlive_the_root_file_system(shell: Jail, client: Client, tmp_path: Path) -> None:
    def host_key() -> str:
        return _output(["ssh-keyscan", "-t", "ed25519", ADDRESS])

    before = host_key()
    client.run("echo kept > note")
    shell.converge(part="rootfs", reset=True, apply="restart")
    run = PAGE.run(tmp_path, alice_key=client.public_key)
    assert run.status == 0, run.output
    assert host_key() == before
    assert client.run("cat note") == "kept\n"


def listening(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=1) as connection:
        return connection.recv(8) == b"SSH-2.0-"
    return False
