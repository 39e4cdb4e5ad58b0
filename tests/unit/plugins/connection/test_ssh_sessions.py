# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that share few connections."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.hosting.jails.plugins.plugin_utils._ssh_sessions import take_seat


def _in_processes(count: int, function: Callable[[int], bytes]) -> list[bytes]:
    """What a function answers in processes of its own, all of them at once."""
    pipes = []
    for number in range(count):
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                os.write(writer, function(number))
            finally:
                os._exit(0)
        os.close(writer)
        pipes.append(reader)
    answers = []
    for reader in pipes:
        with os.fdopen(reader, "rb") as pipe:
            answers.append(pipe.read())
    for _unused in pipes:
        os.wait()
    return answers


def test_processes_that_talk_at_once_have_seats_of_their_own(tmp_path: Path) -> None:
    together = tmp_path / "together"
    together.mkdir()

    def sit(_unused: int) -> bytes:
        with take_seat(str(tmp_path / "seats")) as seat:
            (together / str(os.getpid())).touch()
            while len(list(together.iterdir())) < 6:
                time.sleep(0.01)
            return str(seat.number).encode()

    assert sorted(_in_processes(6, sit)) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_a_seat_that_was_given_back_is_taken_again(tmp_path: Path) -> None:
    for _unused in range(3):
        with take_seat(str(tmp_path / "seats")) as seat:
            assert seat.number == 0


def test_a_connection_is_opened_once(tmp_path: Path) -> None:
    socket = tmp_path / "socket"

    def talk(_unused: int) -> bytes:
        opened = []

        def open_it() -> None:
            opened.append(1)
            time.sleep(0.1)
            socket.touch()

        with take_seat(str(tmp_path / "seats")) as seat:
            seat.open_in_turn(socket.exists, open_it)
        return b"opened" if opened else b"found"

    assert sorted(_in_processes(5, talk)) == [b"found"] * 4 + [b"opened"]


def _sleeps(pid: str) -> bool:
    """Whether a process waits for something (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_those_who_waited_for_one_that_failed_do_not_wait_for_each_other(tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    arrived.mkdir()

    def talk(_unused: int) -> bytes:
        def open_it() -> None:
            while not all_wait():
                time.sleep(0.01)
            # More than the resolution of a file system's times.
            time.sleep(0.1)
            raise ConnectionError

        def all_wait() -> bool:
            others = {path.name for path in arrived.iterdir()} - {str(os.getpid())}
            return len(others) == 3 and all(_sleeps(pid) for pid in others)

        with take_seat(str(tmp_path / "seats")) as seat:
            (arrived / str(os.getpid())).touch()
            try:
                seat.open_in_turn(lambda: False, open_it)
            except ConnectionError:
                return b"failed"
        return b"went on"

    assert sorted(_in_processes(4, talk)) == [b"failed"] + [b"went on"] * 3
