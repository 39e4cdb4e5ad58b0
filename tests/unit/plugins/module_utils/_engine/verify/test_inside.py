# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who waits for an attacker hears of its end, whenever it comes."""

from __future__ import annotations

import os
import select

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import inside


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def _ended_child(writer, says):
    """A child that has said something and ended, and that nobody has buried yet."""
    pid = os.fork()
    if pid == 0:
        os.write(writer, says)
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_one_that_ends_between_the_look_for_words_and_the_look_for_its_end_is_heard(pipe, monkeypatch):
    reader, writer = pipe
    child = _ended_child(writer, b"done\n")
    looks = iter([([], [], [])])
    look = select.select
    monkeypatch.setattr(inside.select, "select", lambda *arguments: next(looks, None) or look(*arguments))
    assert inside._is_heard(reader, child)
    os.waitpid(child, 0)


def test_one_that_has_ended_without_a_word_is_not_waited_for(pipe):
    """Children of its own may hold the other end of the pipe."""
    reader, writer = pipe
    child = _ended_child(writer, b"")
    assert not inside._is_heard(reader, child)
    os.waitpid(child, 0)
