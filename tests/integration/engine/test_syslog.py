# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What programs of a jail say by syslog(3), and where it goes."""

from __future__ import annotations

import os
import re
import socket
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.taker import refuses_descriptors
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jail, kill_supervisor, wait_until

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

MANY = "import syslog\nfor number in range(20000):\n    syslog.syslog(f'number {number}')\nprint('done')"


# A descriptor comes along: whoever takes the message would have to close it, and could be made to wait for that.
WITH_DESCRIPTOR = """
import array, socket
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect("/dev/log")
sender.sendmsg([b"<13>take this"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
"""


def log(it: Jail, *options: str, text: str = "hello") -> None:
    it.output("logger", "--socket-errors=on", *options, text)


def said(it: Jail, text: str) -> bool:
    return any(line.endswith(text) for line in it.log().splitlines())


@pytest.mark.parametrize("document", [{}, {"caps": {"profile": "vps"}}], ids=["app", "vps"])
def test_it_goes_to_the_jails_log_whoever_says_it(document: dict[str, Any]) -> None:
    at_once = ["sh", "-c", "logger -p daemon.err -t first at once; exec sleep 1000"]
    with jail("eng-log", command=at_once, syslog=True, **document) as it:
        wait_until(lambda: said(it, "at once"))
        assert re.search(r"^daemon\.err .* first: at once$", it.log(), re.MULTILINE)
        it.output("logger", "-t", "nobody", "\033[31mred", options=("--user", "nobody"))
        wait_until(lambda: said(it, "#033[31mred"))
        for script in ("rm -f /run/.syslog/log", "touch /run/.syslog/x", "umount -l /run/.syslog"):
            assert it.run("sh", "-c", script).returncode != 0, script


def test_it_goes_on_with_another_supervisor_and_nobody_waits_for_one() -> None:
    """A daemon that has the socket open goes on, too: syslog(3) connects again when a message is refused."""
    daemon = "import syslog, time\nwhile True:\n    syslog.syslog('tick'); time.sleep(0.05)"
    with jail("eng-log", command=["python3", "-c", daemon], syslog=True) as it:
        wait_until(lambda: said(it, "tick"))
        kill_supervisor()
        assert it.output("python3", "-c", MANY, timeout=60) == "done\n"
        before = it.log()
        client.connect().close()
        wait_until(lambda: "tick" in it.log()[len(before) :])
        log(it, text="anew")
        wait_until(lambda: said(it, "anew"))


def test_who_says_too_much_loses_messages_and_keeps_nobody_waiting() -> None:
    with jail("eng-log", command=[], syslog=True) as loud, jail("eng-quiet", command=[], syslog=True) as quiet:
        assert loud.output("python3", "-c", MANY, timeout=60) == "done\n"
        log(quiet, text="still heard")
        wait_until(lambda: said(quiet, "still heard"))

        def told() -> bool:
            log(loud)
            return bool(re.search(r"^syslog\.warning [1-9]\d* messages dropped$", loud.log(), re.MULTILINE))

        wait_until(told)
        assert loud.log().count("number ") < 20000


def test_no_descriptor_comes_to_the_supervisor_with_a_message() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        if not refuses_descriptors(probe):
            pytest.skip("before Linux 6.16 a process of its own takes the messages")
    with jail("eng-log", command=[], syslog=True) as it:
        assert "Operation not permitted" in it.run("python3", "-c", WITH_DESCRIPTOR).stderr


def test_without_it_nothing_listens_and_nothing_of_it_stays() -> None:
    with jail("eng-log", command=[]) as it:
        assert it.run("test", "-e", "/dev/log").returncode != 0
        assert [reason.split(":")[0] for reason in it.converge(syslog=True)["reasons"]] == ["syslog"]
        it.converge(state="restarted")
        log(it)
        it.converge(state="restarted", syslog=False)
        assert it.run("test", "-e", "/dev/log").returncode != 0
        assert not os.path.exists(places.syslog(it.name))


def test_a_jail_with_its_own_init_has_its_own_log() -> None:
    refused = pytest.raises(DocumentError, match="syslog: init: system brings a log of its own")
    with refused, jail("eng-log", state="stopped", init="system", syslog=True):
        pass
