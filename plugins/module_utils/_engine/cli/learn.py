# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

from ..._model.names import jail_name
from .selection import split_flags
from .streams import complain, say
from .usage import UsageError

_WATCHED, _TRIED = 30.0, 10.0


def learn(words: list[str]) -> int:
    """Find the smallest section of privileges for a jail, and print it."""
    own, command = _divided(words)
    flags, values, names = split_flags(own, flags=("--json",), values=("--time",))
    if len(names) != 1:
        raise UsageError("learn needs the name of one jail, and its options before the command")
    from .. import learning

    signal.signal(signal.SIGTERM, _interrupt)
    seconds = _seconds(values.get("--time"), default=_TRIED if command else _WATCHED)
    lesson = learning.Lesson(jail_name(names[0]), seconds, tuple(command))
    learned = learning.learn(lesson, lambda text: complain(f"{lesson.jail}: {text}"))
    _print(lesson.jail, learned, as_json="--json" in flags)
    return 0


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    place = words.index("--")
    if not words[place + 1 :]:
        raise UsageError("learn needs a command after --")
    return words[:place], words[place + 1 :]


def _seconds(text: str | None, *, default: float) -> float:
    try:
        seconds = default if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86400:
        raise UsageError(f"--time {text}: write seconds from 1 to 86400")
    return seconds


def _interrupt(*_unused: object) -> None:
    """Leave as by Ctrl-C: the jail has to be started again."""
    raise KeyboardInterrupt


def _print(name: str, learned: Any, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"caps": learned.section}, indent=2))
        return
    from ..._model.learned import to_yaml

    how = "nothing of it can be left out" if learned.smallest else "what it was seen to use"
    say(f"# {name}: {how}")
    say("caps:")
    for line in to_yaml(learned.section).splitlines():
        say(f"  {line}")


COMMANDS: dict[str, Callable[[list[str]], int]] = {"learn": learn}
