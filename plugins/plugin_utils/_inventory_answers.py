# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import re
import time
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from ansible.errors import AnsibleError

from ._inventory_hosts import JailHost
from ._inventory_query import Reach, ask, reach
from ._inventory_rows import rows_again
from ._inventory_workers import run_all

_SECRET = re.compile("pass|secret|private_key$")


class Answer(NamedTuple):
    """What a host said: rows of ``parse_answer``, or why there are none. ``way`` is how it was reached, if at all."""

    host: JailHost
    way: Reach | None = None
    rows: list[dict[str, Any]] = []
    error: str = ""


class Answers:
    """The answers of hosts, from a cache where one is wanted and has them.

    Each host has an entry of its own: one that has failed is asked again by the next run, whatever the others said.
    An entry knows its own age, as core writes all entries of a source anew when one of them has changed.
    """

    def __init__(self, plugin: Any, path: str) -> None:
        self._plugin = plugin
        self._prefix = plugin.get_cache_key(path)
        self._jailctl = plugin.get_option("jailctl")

    def collect(self, hosts: list[JailHost], *, use_cache: bool) -> list[Answer]:
        """An answer of each host, in the order of the hosts; ``use_cache`` is whether old answers will do."""
        answers = [self._begin(host) for host in hosts]
        waiting = []
        for number, answer in enumerate(answers):
            rows = self._recall(answer) if use_cache and answer.way else None
            if rows is not None:
                answers[number] = answer._replace(rows=rows)
            elif answer.way:
                waiting.append(number)
        for number, answer in zip(waiting, self._ask([answers[number] for number in waiting])):
            answers[number] = answer
            self._remember(answer)
        return answers

    def _begin(self, host: JailHost) -> Answer:
        try:
            return Answer(host, reach(host.variables, self._plugin.loader))
        except AnsibleError as error:
            return Answer(host, error=str(error))

    def _ask(self, answers: list[Answer]) -> list[Answer]:
        outcomes = run_all(
            [partial(ask, answer.way, jailctl=self._jailctl) for answer in answers if answer.way],
            parallel=self._plugin.get_option("parallel"),
            timeout=self._plugin.get_option("timeout"),
            verbose=self._plugin.display.verbosity >= 3,
        )
        return [
            answer._replace(rows=outcome.value or [], error=outcome.error) for answer, outcome in zip(answers, outcomes)
        ]

    def _recall(self, answer: Answer) -> list[dict[str, Any]] | None:
        """The rows that the cache has of a host; None where it has none, or none that are young enough."""
        if not self._plugin.get_option("cache"):
            return None
        try:
            entry = self._plugin.cache.get(self._key(answer))
        except Exception as error:  # whatever the store of a cache plugin raises: it is no more than a cache
            self._plugin.display.vvv(f"The cache has no answer of {answer.host.name}: {error}")
            return None
        if not isinstance(entry, dict) or not isinstance(entry.get("asked_at"), (int, float)):
            return None
        age, longest = time.time() - entry["asked_at"], self._plugin.get_option("cache_timeout")
        if age < 0 or 0 < longest <= age:
            return None
        return rows_again(entry.get("rows"))

    def _remember(self, answer: Answer) -> None:
        """Keep an answer; a failure takes the place of an older answer, as a cache has no way to forget an entry."""
        if self._plugin.get_option("cache"):
            rows = None if answer.error else answer.rows
            self._plugin.cache[self._key(answer)] = {"asked_at": int(time.time()), "rows": rows}

    def _key(self, answer: Answer) -> str:
        """Of the source and of what is asked, so that an edited file finds no answer of another host."""
        way = answer.way
        if way is None:
            raise ValueError(f"nobody knows how to ask {answer.host.name}")
        open_variables = {name: str(value) for name, value in way.variables.items() if not _SECRET.search(name)}
        asked = [answer.host.name, way.connection, way.become, way.asks_sudo, open_variables, self._jailctl]
        return f"{self._prefix}_{sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}"
