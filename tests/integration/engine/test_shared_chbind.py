# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""chbind: one command of the host, a server or a client, with some of its addresses and no others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import bound, places, status
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host as host
from ansible_collections.hosting.jails.tests.integration.engine.shared_host import A4, A6, B4, HOST4

pytestmark = pytest.mark.usefixtures("shared")

BIND = "import socket, sys; s = socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[0])"


@pytest.fixture
def shared(private_state: None) -> None:
    host.enter()
    for address in (A4, B4, A6):
        host.ip(f"address add {address} dev {host.LINK}")


def chbind(*arguments: str) -> subprocess.CompletedProcess[str]:
    return jails.jailctl("chbind", *arguments)


def groups() -> list[str]:
    directory = Path(status.hierarchies().unified, places.BOUND)
    return [path.name for path in directory.iterdir() if path.is_dir()] if directory.exists() else []


def test_a_server_is_bound_to_its_address() -> None:
    for address, expected in (("0.0.0.0", A4), ("127.0.0.1", A4), (B4, B4)):
        done = chbind("--ip", A4, "--ip", f"{B4}/24", "--", "python3", "-c", BIND, address)
        assert done.stdout == f"{expected}\n", done
    refused = chbind(f"--ip={A4}", "python3", "-c", BIND, B4)
    assert refused.returncode == 1
    assert "Cannot assign requested address" in refused.stderr


def test_a_client_comes_from_its_address() -> None:
    with socket.socket() as server:
        server.bind((HOST4, 0))
        server.listen(1)
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('{HOST4}', {port}))"
        assert chbind("--ip", B4, "--ip", A6, "python3", "-c", connect).returncode == 0
        assert server.accept()[1][0] == B4


def test_it_ends_as_its_command_does() -> None:
    assert chbind("--ip", A4, "sh", "-c", "exit 7").returncode == 7
    assert chbind("--ip", A4, "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert chbind("--ip", A4, "no-such-command").returncode == 127
    assert chbind("--ip", A4, "/etc/passwd").returncode == 126


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["true"], "chbind needs an address"),
        (["--ip", A4], "chbind needs a command"),
        (["--ip"], "--ip needs an address"),
        (["--nid", "7", "true"], "'--nid' is not an option of chbind"),
    ],
)
def test_a_wrong_call_is_explained(arguments: Sequence[str], complaint: str) -> None:
    done = chbind(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("address", "complaint"),
    [("192.0.2.77", "192.0.2.77 is not an address of this host"), ("224.0.0.1", "is no single machine's address")],
)
def test_what_the_host_does_not_have_is_refused(address: str, complaint: str) -> None:
    done = chbind("--ip", address, "true")
    assert done.returncode == 125
    assert complaint in done.stderr


def test_a_signal_reaches_the_command() -> None:
    command = jails.jailctl_command("chbind", "--ip", A4, "sh", "-c", "trap 'exit 5' TERM; echo up; sleep 20 & wait")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(jails.PATIENCE) == 5


def test_nothing_is_left_of_a_command_that_has_ended() -> None:
    before = groups()
    chbind("--ip", A4, "true")
    assert groups() == before


def test_what_went_into_the_background_stays_held_and_is_cleared_by_the_next_one() -> None:
    before = groups()
    background = int(chbind("--ip", A4, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!").stdout)
    (left,) = set(groups()) - set(before)
    chbind("--ip", A4, "true")
    assert left in groups()
    os.kill(background, signal.SIGKILL)
    jails.wait_until(lambda: chbind("--ip", A4, "true") and groups() == before)


def test_what_a_killed_one_has_left_is_cleared_by_the_next_one() -> None:
    before = groups()
    command = jails.jailctl_command("chbind", "--ip", A4, "sh", "-c", "echo up; exec sleep 20")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
    (left,) = set(groups()) - set(before)
    (command_pid,) = Path(status.hierarchies().unified, places.BOUND, left, "cgroup.procs").read_text().split()
    os.kill(int(command_pid), signal.SIGKILL)
    jails.wait_until(lambda: not Path(f"/proc/{command_pid}").exists(), what="the command's end")
    bound.remove_left_over()
    assert groups() == before


def test_the_program_answers_to_chbind_too(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(main, "_function", lambda command: lambda words: calls.append([command, *words]) or 0)
    assert main.main(["/usr/local/sbin/chbind", "--ip", A4, "true"]) == 0
    assert calls == [["chbind", "--ip", A4, "true"]]
    assert "chbind" in places.OTHER_NAMES
