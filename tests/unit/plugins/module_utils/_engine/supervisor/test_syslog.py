# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of messages on their way into a jail's log."""

from __future__ import annotations

import os
import select
import socket

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import syslog
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.log import Log
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"<38>Nov 22 10:00:00 sshd[7]: hello", "auth.info Nov 22 10:00:00 sshd[7]: hello"),
        (b"<0>down", "kern.emerg down"),
        (b"<191>fine\n\0", "local7.debug fine"),
        (b"no priority", "user.notice no priority"),
        (b"<999>far out", "124.debug far out"),
        (b"", "user.notice "),
        (b"<13>one\nmail.crit two", "user.notice one#012mail.crit two"),
        (b"<13>\x1b[2J\x07\x7f", "user.notice #033[2J#007#177"),
        ("<13>grüße \x9b1m".encode(), "user.notice grüße #2331m"),
        (b"<13>\xff", "user.notice \ufffd"),
    ],
)
def test_a_message_becomes_one_line_that_no_terminal_obeys(message, line):
    assert syslog.line_of(message).decode() == f"{line}\n"


@given(st.binary(max_size=200))
def test_no_message_is_more_than_a_line(message):
    text = syslog.line_of(message).decode()
    assert text.endswith("\n")
    assert text[:-1].isprintable()


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def ends(tmp_path):
    clock = Clock()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    log = Log(str(tmp_path / "log"))
    with ours, theirs:
        yield syslog.Syslog(ours, clock=clock), theirs, log, clock
    log.close()


def send(heard, sender, log, number):
    for index in range(number):
        sender.send(f"<13>{index}".encode())
        heard.drain(log)


def test_what_is_said_too_often_is_counted_and_thrown_away(ends, tmp_path):
    heard, sender, log, clock = ends
    send(heard, sender, log, 2500)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == [f"user.notice {index}" for index in range(2000)]
    clock.now += 1.0
    send(heard, sender, log, 3)
    assert (tmp_path / "log").read_text().splitlines()[2000:] == [
        "syslog.warning 500 messages dropped",
        "user.notice 0",
        "user.notice 1",
        "user.notice 2",
    ]


def test_one_turn_takes_no_more_than_some(ends, tmp_path):
    heard, sender, log, _clock = ends
    sender.setblocking(False)
    sent = 0
    while sent < 33:
        try:
            sender.send(b"<13>x")
        except BlockingIOError:
            break
        sent += 1
    heard.drain(log)
    assert len((tmp_path / "log").read_text().splitlines()) == min(sent, 32)
    heard.drain(log)
    heard.drain(log)
    assert len((tmp_path / "log").read_text().splitlines()) == sent


def test_the_socket_is_for_everybody_and_replaced_in_one_step(monkeypatch, tmp_path):
    monkeypatch.setattr(syslog, "refuses_descriptors", lambda listener: True)
    monkeypatch.setattr(syslog.places, "syslog", lambda name: str(tmp_path))
    first = syslog.listen("web1")
    path = tmp_path / "log"
    assert path.stat().st_mode & 0o777 == 0o666
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        sender.send(b"<13>to the first")
        first.close()
        with pytest.raises(ConnectionRefusedError):
            sender.send(b"<13>to nobody")
    second = syslog.listen("web1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>to the second", str(path))
    log = Log(str(tmp_path / "web1.log"))
    second.drain(log)
    assert (tmp_path / "web1.log").read_text() == "user.notice to the second\n"
    assert os.listdir(tmp_path).count("log.new") == 0
    second.close()
    log.close()


def test_where_the_kernel_refuses_no_descriptors_somebody_else_takes_them(monkeypatch, tmp_path):
    monkeypatch.setattr(syslog.places, "syslog", lambda name: str(tmp_path))
    monkeypatch.setattr(syslog, "refuses_descriptors", lambda listener: False)
    heard = syslog.listen("web1")
    log = Log(str(tmp_path / "web1.log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"<13>hello", str(tmp_path / "log"))
    assert select.select([heard], [], [], 30.0)[0]
    heard.drain(log)
    assert (tmp_path / "web1.log").read_text() == "user.notice hello\n"
    heard.close()
    log.close()
