# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

# Jails that are changed together: their locks are held for as long as that takes, and one that is restarted is down for
# about as long. More at a time would be hardly faster.
_TOGETHER = 64


class Order:
    """In which order jails are started and stopped, by who ``needs`` whom.

    Needs that are not among the names count for nothing. Jails that need each other in a circle come last.
    """

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self._needs = {name: {other for other in others if other in needs} for name, others in needs.items()}
        self._dependents: dict[str, set[str]] = {name: set() for name in needs}
        for name, others in self._needs.items():
            for other in others:
                self._dependents[other].add(name)
        self._ranks = self._find_ranks()

    def _find_ranks(self) -> dict[str, int]:
        missing = {name: len(others) for name, others in self._needs.items()}
        ranks: dict[str, int] = {}
        ready, rank = [name for name, count in missing.items() if not count], 0
        while ready:
            ranks.update(dict.fromkeys(ready, rank))
            following = []
            for name in ready:
                for other in self._dependents[name]:
                    missing[other] -= 1
                    following += [other] if not missing[other] else []
            ready, rank = following, rank + 1
        return {name: ranks.get(name, rank) for name in self._needs}

    def needs(self, name: str) -> Collection[str]:
        """What a jail depends on directly."""
        return self._needs.get(name, ())

    def dependents(self, name: str) -> Collection[str]:
        """Who depends on a jail directly."""
        return self._dependents.get(name, ())

    def levels(self, names: Iterable[str]) -> list[list[str]]:
        """Names in groups: each jail after all that it depends on. Backwards that is the order to stop them."""
        groups: dict[int, list[str]] = {}
        for name in names:
            groups.setdefault(self._ranks.get(name, 0), []).append(name)
        return [groups[rank] for rank in sorted(groups)]

    def waves(self, names: Iterable[str]) -> list[list[str]]:
        """Names in portions: jails of which one depends on another are in the same."""
        waves: list[list[str]] = []
        for cluster in self._clusters(list(names)):
            if not waves or len(waves[-1]) + len(cluster) > _TOGETHER:
                waves.append([])
            waves[-1] += cluster
        return waves

    def _clusters(self, names: list[str]) -> Iterable[list[str]]:
        left = dict.fromkeys(names)
        for first in names:
            if first not in left:
                continue
            del left[first]
            cluster, position = [first], 0
            while position < len(cluster):
                name = cluster[position]
                near = [other for other in (*self.needs(name), *self.dependents(name)) if other in left]
                for other in near:
                    left.pop(other, None)
                cluster += dict.fromkeys(near)
                position += 1
            yield cluster
