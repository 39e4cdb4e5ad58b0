# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""The command line that runs a command in a jail, and what its answer means."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Who logs in shows only there. In one line, as an argument of sh: the shell of the login may be any.
_AS_ROOT = '[ "$(id -u)" = 0 ] || set -- {command} "$@"; exec "$@"'

_NOT_PERMITTED = 126
_NOT_FOUND = 127


class Call(NamedTuple):
    """How to run commands in one jail: ``report`` is a word that nobody in the jail can guess (jailctl --report).

    ``host_become_command`` is put before jailctl where the login is not root's; empty, it never is.
    """

    jail: str
    user: str
    report: str
    jailctl: str
    host_become_command: str = ""
    stopped: bool = False

    def line(self, command: Iterable[str], *, reads: bool) -> str:
        """A line for a shell on the jail's host; ``reads``: the command gets our input, otherwise it has none."""
        words = [self.jailctl, "exec", "--report", self.report, "--user", self.user]
        words += ["--stopped"] if self.stopped else []
        words += [self.jail, "--", *command]
        if self.host_become_command:
            words = ["/bin/sh", "-c", _AS_ROOT.format(command=self.host_become_command), "sh", *words]
        return shlex.join(words) if reads else f"{shlex.join(words)} </dev/null"


class Ended(NamedTuple):
    """A command that was run: its own exit status, and what it wrote to its error output."""

    status: int
    errors: bytes


def read_answer(report: str, errors: bytes) -> Ended | None:
    """Find jailctl's word on how the command has ended; None where there was none to run.

    What the command has left running may still write after it.
    """
    before, word, rest = errors.rpartition(f"{report} ".encode())
    status, _unused, after = rest.partition(b"\n")
    return Ended(int(status), before + after) if word and status.isdigit() else None


def explain(call: Call, code: int, errors: str) -> str:
    """Why a command was not run, and what to do about it; ``errors`` is what the jail's host has said."""
    said = _said(errors.splitlines()).removeprefix(f"jail {call.jail}: ")
    for words, remedy in _REMEDIES.items():
        if words in said:
            return f"{said}; {remedy.format(**call._asdict())}"
    if code in (_NOT_PERMITTED, _NOT_FOUND):
        return f"{call.jailctl} cannot be run ({said}); {_MISSING}"
    return said or f"jailctl ended with status {code}, and said nothing"


def _said(lines: Sequence[str]) -> str:
    """What jailctl has said if it has, otherwise everything: ssh and sudo have their say on the same stream."""
    prefix = "jailctl: "
    own = [line[len(prefix) :] for line in lines if line.startswith(prefix)]
    return "; ".join(own or [line.strip() for line in lines if line.strip()])


_MISSING = (
    "make this host a jail host with the role hosting.jails.host, or say where jailctl is: ansible_jailctl_executable"
)
_REMEDIES = {
    "is not running; ": "or work on its root file system as it is: ansible_jail_when_stopped=enter",
    "there is no such jail": "ansible_jail_name names the jail, ansible_host its host",
    "is not an option of exec": "its engine is older than this collection: run hosting.jails.jail_engine there",
    "jails are the business of the host's root": "log in as root, or say how to become root there with "
    "ansible_jail_host_become_command",
    "sudo: ": "let this user run jailctl exec as root (sudoers: USER ALL=(root) NOPASSWD: {jailctl} exec *), log in as "
    "root, or set ansible_jail_host_become_command",
}
