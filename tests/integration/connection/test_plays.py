# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every connection of Ansible's has to carry, in real plays; jails on several hosts are in ../fleet."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.hosting.jails.tests.integration.connection.plays import Plays
from ansible_collections.hosting.jails.tests.integration.connection.talk import Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

NAME = "Ünïcödé 汉语 'q' $x"
TEXT = "汉语 äöü\n"


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "by-files"])
def test_names_texts_and_directories_of_any_language_pass(
    way: Variables, it: Jail, plays: Plays, pipelining: bool
) -> None:
    """Here and in the jail, for modules and for what carries them."""
    source, back = plays.directory / f"ours {NAME}", plays.directory / f"back {NAME}"
    source.write_text(TEXT)
    (plays.directory / "script.sh").write_text('#!/bin/sh\necho "said $1"; exit 255\n')
    theirs = f"/root/{NAME}/theirs {NAME}"
    own = {**way, "ansible_remote_tmp": "/tmp/汉语"}
    tasks = [
        {"raw": "printf %s 汉语"},
        {"file": {"path": f"/root/{NAME}", "state": "directory"}},
        {"copy": {"src": str(source), "dest": theirs, "mode": "0600"}},
        {"copy": {"src": str(source), "dest": theirs, "mode": "0600"}},
        {"slurp": {"src": theirs}},
        {"fetch": {"src": theirs, "dest": str(back), "flat": True}},
        {"script": "script.sh 汉语"},
        {"file": {"path": f"/root/{NAME}", "state": "absent"}},
    ]
    done = plays.run_one(it.name, *tasks, variables=own, pipelining=pipelining)
    assert [result["failed"] for result in done] == [False] * 6 + [True, False], plays.output
    assert [result["changed"] for result in done[1:4]] == [True, True, False]
    assert done[0]["stdout"] == "汉语"
    assert base64.b64decode(done[4]["content"]).decode() == TEXT
    assert back.read_text() == TEXT
    assert (done[6]["rc"], done[6]["stdout"].strip()) == (255, "said 汉语")


def test_a_task_in_the_background_goes_on_without_a_connection(way: Variables, it: Jail, plays: Plays) -> None:
    (done,) = plays.succeed(it.name, {"command": "sleep 2", "async": 30, "poll": 1}, variables=way)
    assert (done["rc"], done["finished"]) == (0, True)
