# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""jailctl learn: the smallest privileges under which a real server works, which it then really has."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.hosting.jails.plugins.module_utils._engine import learning
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.learning import Lesson
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.privilege_trace import tracing
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import jailctl, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

NAME = "eng-learns"
# A server on a low port, as another user, whom its init has to signal to stop it.
SERVER = """
import os, socket
server = socket.create_server(('127.0.0.1', 80))
os.setgroups([])
os.setgid(33)
os.setuid(33)
while True:
    client = server.accept()[0]
    client.sendall(b'%d\\n' % os.getuid())
    client.close()
"""
ASKS = ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80; read -t 30 uid <&3; test $uid = 33")
CAPS = {"profile": "service", "keep": ["SYS_CHROOT"], "drop": ["SETFCAP"], "seccomp": "default"}
NEEDED = ["KILL", "SETGID", "SETUID"]


@pytest.fixture(scope="module")
def it(nothing_left: None) -> Iterator[jails.Jail]:
    document: dict[str, Any] = {"command": ["python3", "-c", SERVER], "stop": {"timeout": 3}}
    with jails.jail(NAME, caps=CAPS, **document) as made:
        yield made


def told() -> None:
    try:
        with tracing(range(1), but="nobody-at-all"):
            return
    except KernelError as error:
        pytest.skip(f"this kernel does not tell: {error}")


def works(it: jails.Jail) -> bool:
    return wait_until(lambda: it.run(*ASKS).returncode == 0, what="the server")


def test_what_it_learns_is_enough_and_nothing_of_it_too_much(it: jails.Jail) -> None:
    told()
    before = it.describe("document")["document"]
    done = jailctl("learn", "--time", "30", NAME, "--", *ASKS)
    assert done.returncode == 0, done
    section = yaml.safe_load(done.stdout)["caps"]
    assert section == {"profile": "none", "keep": NEEDED, "seccomp": "strict", "drop": []}
    assert "without SETUID: it ended" in done.stderr
    assert "without KILL: it does not stop when it is asked to" in done.stderr
    assert it.describe("document")["document"] == before
    assert it.state == "running"
    assert works(it)
    try:
        it.converge(caps=section, apply="restart")
        assert works(it)
        assert it.describe("privileges")["privileges"]["capabilities"] == NEEDED
        with contextlib.suppress(EngineError):
            it.converge(caps={**section, "keep": ["KILL", "SETGID"]}, apply="restart")
        wait_until(lambda: it.state == "failed", what="the end of a server that cannot become another user")
    finally:
        it.converge(caps=CAPS, apply="restart")
        it.converge(state="started")


def test_without_a_command_it_is_watched(it: jails.Jail) -> None:
    told()
    done = jailctl("learn", "--json", "--time", "3", NAME)
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == {"caps": {"profile": "none", "keep": NEEDED, "seccomp": "strict", "drop": []}}
    assert works(it)


def test_where_the_kernel_does_not_tell_everything_is_tried(it: jails.Jail, monkeypatch: pytest.MonkeyPatch) -> None:
    def untold(*_unused: object, **_options: object) -> Any:
        raise KernelError("trace", "cap_capable", 2)

    monkeypatch.setattr(learning, "tracing", untold)
    steps: list[str] = []
    it.converge(caps={"profile": "none", "keep": [*NEEDED, "CHOWN"], "drop": []}, apply="restart")
    learned = learning.learn(Lesson(NAME, 30.0, ASKS), steps.append)
    assert learned == ({"profile": "none", "keep": NEEDED, "seccomp": "strict"}, True)
    assert "without CHOWN: works" in steps
    with pytest.raises(EngineError, match="this kernel does not tell what is asked for"):
        learning.learn(Lesson(NAME, 1.0), steps.append)
    assert works(it)
    it.converge(caps=CAPS, apply="restart")


def test_a_jail_that_does_not_work_teaches_nothing(it: jails.Jail) -> None:
    done = jailctl("learn", "--time", "1", NAME, "--", "false")
    assert done.returncode == 1
    assert f"jail {NAME}: does not work as it is: false ends with status 1" in done.stderr
    done = jailctl("learn", "--time", "1", NAME, "--", "no-such")
    assert "does not work as it is: the jail's root file system has no program 'no-such'" in done.stderr
    assert jailctl("learn", "eng-nobody").returncode == 1
    assert jailctl("learn", NAME, "--").returncode == 2
    assert jailctl("learn", "--time", "soon", NAME).returncode == 2
    assert works(it)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_is_interrupted_leaves_the_document_as_it_was(it: jails.Jail, number: signal.Signals) -> None:
    """Asked to end, it starts the jail again; killed, it takes with it the jail that it has tried."""
    before = it.describe("document")["document"]
    before_pid = it.pid
    with subprocess.Popen(jails.jailctl_command("learn", "--time", "60", NAME), stderr=subprocess.DEVNULL) as student:
        wait_until(lambda: it.state == "running" and it.pid != before_pid, what="the jail on trial")
        tried = it.pid
        student.send_signal(number)
        student.wait()
    if number == signal.SIGKILL:
        wait_until(lambda: it.state != "running", what="the end of the trial")
        it.converge(state="started")
    assert it.pid != tried
    assert it.describe("document")["document"] == before
    assert works(it)


def test_a_jail_that_was_stopped_is_stopped_again(it: jails.Jail) -> None:
    it.converge(state="stopped")
    try:
        jailctl("learn", "--time", "30", NAME, "--", "true", check=True)
        assert it.state == "stopped"
    finally:
        it.converge(state="started")
