# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line that runs a command in a jail, and what its answer means."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.hosting.jails.plugins.plugin_utils._jailctl import Call, Ended, explain, read_answer
from hypothesis import given
from hypothesis import strategies as st

WORD = "0123456789abcdef"
CALL = Call(jail="web1", user="root", report=WORD, jailctl="/usr/local/sbin/jailctl")
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(words, min_size=1), words, st.booleans())
def test_a_shell_sees_the_words_of_a_command_as_they_are(command: list[str], user: str, stopped: bool) -> None:
    line = CALL._replace(user=user, stopped=stopped).line(command, reads=True)
    seen = shlex.split(line)
    assert seen[:6] == ["/usr/local/sbin/jailctl", "exec", "--report", WORD, "--user", user]
    assert seen[6:] == [*(["--stopped"] if stopped else []), "web1", "--", *command]


def test_a_command_that_reads_nothing_has_nothing_to_read() -> None:
    assert CALL.line(["true"], reads=False) == f"{CALL.line(['true'], reads=True)} </dev/null"


def test_another_login_becomes_root_without_being_asked() -> None:
    seen = shlex.split(CALL._replace(host_become_command="sudo -n").line(["id"], reads=True))
    assert seen[:2] == ["/bin/sh", "-c"]
    assert seen[2] == '[ "$(id -u)" = 0 ] || set -- sudo -n "$@"; exec "$@"'
    assert seen[3:] == ["sh", *shlex.split(CALL.line(["id"], reads=True))]


@given(st.binary(), st.integers(0, 255), st.binary())
def test_the_status_is_found_wherever_it_stands(before: bytes, status: int, after: bytes) -> None:
    """ssh warns before it, and what the command has left running may write behind it."""
    assert read_answer(WORD, before + f"{WORD} {status}\n".encode() + after) == Ended(status, before + after)


@pytest.mark.parametrize("errors", ["", "problem\n", WORD, f"{WORD} \n", f"{WORD} x\n", "89abcdef 0\n"])
def test_without_it_there_was_no_command(errors: str) -> None:
    assert read_answer(WORD, errors.encode()) is None


@pytest.mark.parametrize(
    ("code", "errors", "reason"),
    [
        (
            125,
            "jailctl: jail web1: is not running; jailctl start web1\n",
            "is not running; jailctl start web1; or work on its root file system as it is: "
            "ansible_jail_when_stopped=enter",
        ),
        (
            125,
            "Warning: Permanently added 'h'.\njailctl: jail web1: there is no such jail on this host; jailctl list\n",
            "there is no such jail on this host; jailctl list; ansible_jail_name names the jail, ansible_host its host",
        ),
        (125, "jailctl: jail web1: is frozen; thaw it\n", "is frozen; thaw it"),
        (7, "", "jailctl ended with status 7, and said nothing"),
        (1, "who?\nwhat?\n", "who?; what?"),
    ],
)
def test_a_reason_is_told_with_its_remedy(code: int, errors: str, reason: str) -> None:
    assert explain(CALL, code, errors) == reason


@pytest.mark.parametrize(
    ("code", "errors", "words"),
    [
        (127, "sh: 1: /usr/local/sbin/jailctl: not found", ["hosting.jails.host", "ansible_jailctl_executable"]),
        (126, "sh: /usr/local/sbin/jailctl: Permission denied", ["cannot be run", "Permission denied"]),
        (1, "sudo: a password is required", ["NOPASSWD: /usr/local/sbin/jailctl"]),
        (1, "jailctl: jails are the business of the host's root", ["ansible_jail_host_become_command"]),
        (2, "jailctl: '--report' is not an option of exec; see jailctl --help", ["hosting.jails.jail_engine"]),
    ],
)
def test_a_host_that_is_not_ready_is_told_how_to_become_so(code: int, errors: str, words: list[str]) -> None:
    reason = explain(CALL, code, errors)
    for word in words:
        assert word in reason
