# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host reads of a jail is what its root has written there: it keeps nobody from the host's work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import shadowing
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import Outside, Prisoner

_LISTENER = """
import ctypes, socket, time
ctypes.CDLL(None).prctl(15, {name})
listener = socket.socket()
listener.listen()
print("listens", flush=True)
time.sleep(600)
"""
# Bytes that are no text, and the end of a line, to all but the kernel, with a signal mask that is none.
_NAMES = [rb"\xff\xfe", rb"\rSigCgt: x"]


@pytest.fixture(scope="module", params=_NAMES, ids=["bytes", "line"])
def liar(request: pytest.FixtureRequest, outside: Outside, link: str) -> Iterator[Prisoner]:
    """A jail on the host's stack whose first process calls itself something, and listens on every address."""
    command = ["python3", "-c", _LISTENER.format(name=f'b"{request.param.decode()}"')]
    ip = {"mode": "shared", "interface": link, "addresses": ["10.21.9.21/32"]}
    with outside.prisoner("liar", init="none", command=command, ip=ip) as made:
        jails.wait_until(lambda: "listens" in made.log(), what="the listener")
        yield made


def test_who_listens_on_every_address_is_known_whatever_he_calls_himself(liar: Prisoner) -> None:
    """Asked by whoever starts another jail on the host's stack."""
    assert "10.21.9.21" in liar.describe("network")["network"]["addresses"][0]
    assert not [shadow for shadow in shadowing.shadows(["10.21.9.21"]) if shadow.port > 1024 and shadow.program]


def test_users_with_numbers_beyond_all_bounds_are_no_users(liar: Prisoner) -> None:
    liar.script("python3 -c \"print('x:x:' + '9' * 5000 + ':0::/:/bin/sh')\" >> /etc/passwd")
    (row,) = [row for row in liar.describe("processes")["processes"] if row["pid"] == liar.pid]
    assert row["user"] == "root"
    assert jails.jailctl("ps").returncode == 0
    assert liar.run("true", options=["--user", "root"]).returncode == 0


def test_a_jail_is_stopped_whatever_its_first_process_calls_itself(liar: Prisoner) -> None:
    assert jails.jailctl("stop", liar.name).returncode == 0
    assert liar.state == "stopped"
    liar.converge(state="started")


def test_who_locks_the_pipe_that_he_prints_to_keeps_nobody_from_being_heard(outside: Outside) -> None:
    """Whoever reads such a pipe waits, and no signal ends that: it must not be the supervisor."""
    says = ["sh", "-c", "while echo tick; do sleep 0.1; done"]
    with outside.prisoner("holder", ip={"mode": "none"}, command=["python3", "/probe/holder.py"]) as holder:
        jails.wait_until((outside.volume / "held").exists, what="the pipe to be locked")
        with outside.prisoner("heard", ip={"mode": "none"}, command=says) as heard:
            jails.wait_until(lambda: "tick" in heard.log(), what="another jail to be heard")
            jails.dismiss_supervisor()
            lines = heard.log().count("tick")
            assert jails.jailctl("restart", heard.name).returncode == 0
            jails.wait_until(lambda: heard.log().count("tick") > lines + 1, what="the next supervisor to hear it")
        assert holder.state == "running"
        assert jails.jailctl("stop", holder.name).returncode == 0
    (outside.volume / "held").unlink()
