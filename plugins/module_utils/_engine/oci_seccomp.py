# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Seccomp profiles as Docker, Podman and OCI runtimes take them (config-linux.md, "Seccomp"), read as they are."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._kernel import seccomp_compiler
from .._kernel.seccomp_compiler import Comparison, Conditions, Verdict
from .errors import EngineError

# The names of an architecture in the two ways in which profiles say it.
_ARCHITECTURES = {"x86_64": ("SCMP_ARCH_X86_64", "amd64"), "aarch64": ("SCMP_ARCH_AARCH64", "arm64")}
_ACTIONS = {
    "SCMP_ACT_ALLOW": seccomp_compiler.ALLOW,
    "SCMP_ACT_LOG": seccomp_compiler.LOG,
    "SCMP_ACT_TRAP": seccomp_compiler.TRAP,
    "SCMP_ACT_KILL": seccomp_compiler.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": seccomp_compiler.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": seccomp_compiler.KILL_PROCESS,
}
_OPERATORS = {f"SCMP_CMP_{name.upper()}": name for name in ("ne", "lt", "le", "eq", "ge", "gt", "masked_eq")}
_LARGEST_ERRNO = 4095
_ARGUMENTS = 6


class Circumstances(NamedTuple):
    """What a profile's conditions are about: names of kept capabilities, uname(2)'s machine and (major, minor)."""

    capabilities: Collection[str]
    architecture: str
    kernel: tuple[int, int]


class Policy(NamedTuple):
    """A profile for one machine: a verdict for each system call that it names, and one for all others."""

    verdicts: dict[str, Verdict]
    default: int


def read_profile(profile: Any, circumstances: Circumstances, *, jail: str) -> Policy:
    """Read a profile. EngineError names the place of what it cannot mean.

    Rules with conditions on arguments go before a rule without any, and the first that matches decides.
    """
    return _Reader(jail, circumstances).policy(profile)


class _Reader:
    def __init__(self, jail: str, circumstances: Circumstances) -> None:
        self._jail = jail
        self._circumstances = circumstances

    def policy(self, profile: Any) -> Policy:
        if not isinstance(profile, Mapping):
            raise self._error("", "the profile is not a mapping")
        default = self._action(profile, "defaultAction", "defaultErrnoRet", "")
        self._refuse_foreign(profile)
        plain: dict[str, int] = {}
        conditional: dict[str, list[tuple[tuple[Comparison, ...], int]]] = {}
        for path, rule in self._rules(profile):
            action = self._action(rule, "action", "errnoRet", path)
            comparisons = self._comparisons(rule, path)
            for name in self._names(rule, path):
                if comparisons:
                    conditional.setdefault(name, []).append((comparisons, action))
                else:
                    plain.setdefault(name, action)
        verdicts: dict[str, Verdict] = dict(plain)
        for name, cases in conditional.items():
            verdict: Verdict = plain.get(name, default)
            for comparisons, action in reversed(cases):
                verdict = Conditions(comparisons, action, verdict)
            verdicts[name] = verdict
        return Policy(verdicts, default)

    def _refuse_foreign(self, profile: Mapping[str, Any]) -> None:
        """A profile that is for other machines only would allow nothing, or all, here."""
        named = [str(name) for name in self._list(profile, "architectures", "")]
        named += [
            str(entry.get("architecture")) for entry in self._list(profile, "archMap", "") if isinstance(entry, Mapping)
        ]
        ours = _ARCHITECTURES.get(self._circumstances.architecture, ())
        if named and not set(named) & set(ours):
            raise self._error("architectures", f"the profile is for {', '.join(named)}, and this host is none of them")

    def _rules(self, profile: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for number, rule in enumerate(self._list(profile, "syscalls", "")):
            path = f"syscalls[{number}]"
            if not isinstance(rule, Mapping):
                raise self._error(path, "the rule is not a mapping")
            if self._holds(rule.get("includes"), f"{path}.includes") and not self._is_excluded(rule, path):
                yield path, rule

    def _holds(self, conditions: Any, path: str) -> bool:
        """Whether all that a rule is included for is there."""
        return all(self._facts(conditions, path))

    def _is_excluded(self, rule: Mapping[str, Any], path: str) -> bool:
        return any(self._facts(rule.get("excludes"), f"{path}.excludes"))

    def _facts(self, conditions: Any, path: str) -> list[bool]:
        if not conditions:
            return []
        if not isinstance(conditions, Mapping):
            raise self._error(path, "the conditions are not a mapping")
        facts = []
        capabilities = self._list(conditions, "caps", path)
        if capabilities:
            kept = {f"CAP_{name}" for name in self._circumstances.capabilities}
            facts.append(kept.issuperset(map(str, capabilities)))
        architectures = self._list(conditions, "arches", path)
        if architectures:
            ours = _ARCHITECTURES.get(self._circumstances.architecture, ())
            facts.append(bool(set(map(str, architectures)).intersection(ours)))
        if conditions.get("minKernel"):
            facts.append(self._circumstances.kernel >= self._kernel(conditions["minKernel"], path))
        return facts

    def _kernel(self, text: Any, path: str) -> tuple[int, int]:
        major, dot, minor = str(text).partition(".")
        if not (dot and major.isdigit() and minor.isdigit()):
            raise self._error(f"{path}.minKernel", f"{text!r} is not a kernel version such as 4.8")
        return int(major), int(minor)

    def _names(self, rule: Mapping[str, Any], path: str) -> Sequence[str]:
        names = self._list(rule, "names", path) or [rule.get("name")]
        if not all(isinstance(name, str) and name for name in names):
            raise self._error(f"{path}.names", "there is no list of names of system calls")
        return names

    def _action(self, rule: Mapping[str, Any], key: str, number_key: str, path: str) -> int:
        where = f"{path}.{key}".lstrip(".")
        action, number = rule.get(key), rule.get(number_key)
        if action in _ACTIONS:
            return _ACTIONS[str(action)]
        if action != "SCMP_ACT_ERRNO":
            raise self._error(where, f"{action!r} is not an action that a jail can have")
        if number is None:
            number = errno.EPERM
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _LARGEST_ERRNO:
            raise self._error(f"{path}.{number_key}".lstrip("."), f"{number!r} is not an errno")
        return seccomp_compiler.refuse(number)

    def _comparisons(self, rule: Mapping[str, Any], path: str) -> tuple[Comparison, ...]:
        return tuple(
            self._comparison(test, f"{path}.args[{number}]")
            for number, test in enumerate(self._list(rule, "args", path))
        )

    def _comparison(self, test: Any, path: str) -> Comparison:
        if not isinstance(test, Mapping) or test.get("op") not in _OPERATORS:
            raise self._error(f"{path}.op", "the comparison is none of those of seccomp_rule_add(3)")
        operator = _OPERATORS[str(test["op"])]
        index = self._word(test, "index", path)
        if index >= _ARGUMENTS:
            raise self._error(f"{path}.index", f"system calls have {_ARGUMENTS} arguments")
        value, second = self._word(test, "value", path), self._word(test, "valueTwo", path)
        if operator == "masked_eq":  # here the first value is the mask
            return Comparison(index, operator, second & value, value)
        return Comparison(index, operator, value)

    def _word(self, test: Mapping[str, Any], key: str, path: str) -> int:
        value = test.get(key) or 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
            raise self._error(f"{path}.{key}", f"{value!r} is not a number of 64 bits")
        return value

    def _list(self, holder: Mapping[str, Any], key: str, path: str) -> list[Any]:
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error(f"{path}.{key}".lstrip("."), "this is not a list")
        return value

    def _error(self, path: str, message: str) -> EngineError:
        where = f"caps.seccomp.{path}" if path else "caps.seccomp"
        return EngineError(
            self._jail, message, path=where, remedy="take a profile as Docker and OCI runtimes read it, or say default"
        )
