# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence

from ..._kernel import stepping_stone
from ..errors import EngineError

# Where programs are looked for in a jail, and what its init and every command in it find in their environment.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LONGEST_INTERPRETER_LINE = 256


def find(command: str, environment_path: str = PATH) -> str:
    """Path of a program in the root that we are in, as execvp(3) would find it.

    Checked before the jail counts as started, so that a misspelt command is an error of the task and not of a log
    file. EngineError with path ``command[0]`` says what is wrong.
    """
    if "/" in command:
        _check(command)
        return command
    for directory in environment_path.split(":"):
        candidate = f"{directory}/{command}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            _check(candidate)
            return candidate
    raise EngineError(
        "",
        f"the jail's root file system has no program {command!r}",
        path="command[0]",
        remedy=f"install it in the jail's template, or give its path (searched: {environment_path})",
    )


def execute(command: Sequence[str], environment: Mapping[str, str], *, on_host: bool = False) -> None:
    """Become a program, as execvpe(3) does. EngineError for one that the kernel takes for blind to capabilities.

    In a jail ``on_host`` our own program belongs to the jail's root: there, by way of one that does not.

    A program whose file capabilities are effective is not executed where it would not get them all (capabilities(7),
    "Safety checking for capability-dumb binaries"): ping is such a one.
    """
    if on_host:
        stepping_stone.execute(find(command[0], environment.get("PATH", PATH)), command, environment)
    try:
        os.execvpe(command[0], list(command), environment)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        raise EngineError(
            "",
            f"{command[0]!r} has file capabilities that nobody in the jail can have",
            path="command[0]",
            remedy="keep them in caps, or remove them from the program in the jail with setcap -r",
        ) from error


def _check(path: str) -> None:
    """Say why the kernel would refuse to execute a file."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise EngineError(
            "", f"{path!r} in the jail's root file system: {error.strerror}", path="command[0]"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise EngineError("", f"{path!r} is not a file", path="command[0]", remedy="name a program")
    if not status.st_mode & 0o111:
        raise EngineError("", f"{path!r} is not executable", path="command[0]", remedy=f"chmod +x {path} in the jail")
    interpreter = _interpreter(path)
    if interpreter and not os.path.exists(interpreter):
        raise EngineError(
            "",
            f"{path!r} is a script for {interpreter!r}, which the jail's root file system does not have",
            path="command[0]",
            remedy="install the interpreter in the jail's template",
        )


def _interpreter(path: str) -> str:
    """The interpreter that the first line of a script names (execve(2), Interpreter scripts); empty for a binary."""
    with open(path, "rb") as file:
        line = file.read(_LONGEST_INTERPRETER_LINE).partition(b"\n")[0]
    words = line[2:].split()
    return os.fsdecode(words[0]) if line.startswith(b"#!") and words else ""
