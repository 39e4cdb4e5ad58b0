# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from collections.abc import Callable

from .. import enter, inmates, report, status, store
from ..enter import Entry
from . import tables
from .streams import complain, say
from .usage import UsageError

TEXT = """usage: vserver [-s|--sync] [-v|--verbose] [--silent] [--] NAME COMMAND [ARGUMENT...]

As vserver of util-vserver, on the jails of this host:
  start, stop, restart     what they say; condrestart restarts only what runs
  exec COMMAND...          run a command as its root; suexec USER COMMAND... as another of its users
  enter                    a login shell
  running, status          succeed if it runs; status says more, and exits with 3 if it does not
  chkconfig, apt-get, apt-cache, apt-config, rpm ARGUMENT...
                           run that program in it
New ones are built by playbooks: see docs/old-hands.md."""

_NO_SUCH = 5
_STOPPED = 3
_WRONG = 2
_IN_THE_JAIL = ("chkconfig", "apt-get", "apt-cache", "apt-config", "rpm")
_BY_PLAYBOOKS = ("build", "delete", "unify", "hashify", "pkg", "pkgmgmt")


def vserver(words: list[str]) -> int:
    """The command vserver; its exit status."""
    words, silent = _options(words)
    if words == ["--help"]:
        say(TEXT)
        return 0
    if len(words) < 2:
        raise UsageError("vserver needs the name of a jail and a command")
    name, command, arguments = words[0], words[1], words[2:]
    if command in _BY_PLAYBOOKS:
        complain(f"{command}: jails are made and removed by the modules of hosting.jails, see docs/old-hands.md")
        return _WRONG
    if name not in store.names():
        complain(f"there is no jail {name!r} on this host; see jailctl list")
        return _NO_SUCH
    if command in _IN_THE_JAIL:
        return _run(name, "root", [command, *arguments])
    if command not in _COMMANDS:
        raise UsageError(f"{command!r} is not a command of vserver")
    return _COMMANDS[command](name, arguments, silent)


def _options(words: list[str]) -> tuple[list[str], bool]:
    waiting, silent = list(words), False
    while waiting and waiting[0].startswith("-") and waiting != ["--help"]:
        word = waiting.pop(0)
        if word == "--":
            break
        if word not in ("-s", "--sync", "-v", "--verbose", "--silent", "--debug", "--defaulttty"):
            raise UsageError(f"{word!r} is not an option of vserver")
        silent = silent or word == "--silent"
    return waiting, silent


def _runs(name: str) -> bool:
    return status.run_state(name) in ("running", "frozen")


def _change(how: str) -> Callable[[str, list[str], bool], int]:
    def command(name: str, arguments: list[str], _unused: bool) -> int:
        from .run import COMMANDS

        if arguments:
            raise UsageError(f"{how} takes nothing more")
        return COMMANDS[how]([name])

    return command


def _condrestart(name: str, arguments: list[str], silent: bool) -> int:
    return _change("restart")(name, arguments, silent) if _runs(name) else 0


def _exec(name: str, arguments: list[str], _unused: bool) -> int:
    if not arguments:
        raise UsageError("exec needs a command")
    return _run(name, "root", arguments)


def _suexec(name: str, arguments: list[str], _unused: bool) -> int:
    if len(arguments) < 2:
        raise UsageError("suexec needs a user and a command")
    return _run(name, arguments[0], arguments[1:])


def _enter(name: str, arguments: list[str], _unused: bool) -> int:
    if arguments:
        raise UsageError("enter takes nothing more")
    return _run(name, "root", [])


def _run(name: str, user: str, command: list[str]) -> int:
    return enter.run(name, Entry(command=tuple(command), user=user, terminal=os.isatty(0) and os.isatty(1)))


def _running(name: str, _unused: list[str], _silent: bool) -> int:
    return 0 if _runs(name) else 1


def _status(name: str, _unused: list[str], silent: bool) -> int:
    runs = _runs(name)
    if not silent:
        for line in _described(name) if runs else [f"Vserver '{name}' is stopped"]:
            say(line)
    return 0 if runs else _STOPPED


def _described(name: str) -> list[str]:
    row = report.describe(name)
    return [
        f"Vserver '{name}' is running at context '{row['id']}'",
        f"Number of processes:  {len(inmates.processes_of(name))}",
        f"Uptime:               {tables.duration(row['uptime'] or 0)}",
    ]


_COMMANDS: dict[str, Callable[[str, list[str], bool], int]] = {
    "start": _change("start"),
    "stop": _change("stop"),
    "restart": _change("restart"),
    "condrestart": _condrestart,
    "exec": _exec,
    "suexec": _suexec,
    "enter": _enter,
    "running": _running,
    "status": _status,
}

COMMANDS: dict[str, Callable[[list[str]], int]] = {"vserver": vserver}
