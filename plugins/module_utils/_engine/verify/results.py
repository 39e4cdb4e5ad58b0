# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What a verification has found, for people, for programs, and for those that collect test results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from .expectations import WORKS
from .verification import BREACH, LOST, OK, SKIPPED, TOO_TIGHT, Finding

_FAILED = (BREACH, TOO_TIGHT, LOST)


def is_green(findings: Iterable[Finding]) -> bool:
    """Whether every attack that could be tried came to what the policy says, and lived to tell."""
    return not any(finding.verdict in _FAILED for finding in findings)


def breaches(findings: Iterable[Finding]) -> list[Finding]:
    """The attacks that worked and should not have."""
    return [finding for finding in findings if finding.verdict == BREACH]


def verdict_in_words(finding: Finding) -> str:
    """What a finding comes to, for people."""
    if finding.verdict == OK:
        return "ok (works, as the profile allows)" if finding.outcome == WORKS else "ok (denied, as the policy says)"
    if finding.verdict == SKIPPED:
        return f"skipped ({finding.why})"
    return "BREACH" if finding.verdict == BREACH else finding.verdict


def table_rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """A row for each attack, those first that went wrong."""
    return [
        {
            "jail": finding.jail,
            "attack": finding.attack,
            "verdict": verdict_in_words(finding),
            "policy": finding.policy,
            "why": _shortened(finding.why) if finding.verdict in _FAILED else "",
        }
        for finding in sorted(findings, key=lambda finding: finding.verdict not in _FAILED)
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


def summary(findings: Sequence[Finding]) -> str:
    """``web1: 187 attacks, 182 ok, 5 skipped``, with what went wrong said first."""
    count = Counter(finding.verdict for finding in findings)
    parts = [f"{count[verdict]} {verdict}" for verdict in (*_FAILED, OK, SKIPPED) if count[verdict]]
    return f"{findings[0].jail}: {len(findings)} attacks, {', '.join(parts)}" if findings else "nothing was tried"


def as_objects(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """For JSON."""
    return [finding._asdict() for finding in findings]


def junit(findings: Sequence[Finding]) -> str:
    """The same as JUnit XML: a suite for each jail, a case for each attack."""
    suites = []
    for jail in dict.fromkeys(finding.jail for finding in findings):
        cases = [finding for finding in findings if finding.jail == jail]
        failed = sum(finding.verdict in _FAILED for finding in cases)
        skipped = sum(finding.verdict == SKIPPED for finding in cases)
        head = f'tests="{len(cases)}" failures="{failed}" errors="0" skipped="{skipped}"'
        suites.append(f"  <testsuite name={_quoted(f'jailctl verify {jail}')} {head}>")
        suites += [_case(finding) for finding in cases]
        suites.append("  </testsuite>")
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>", ""])


def _case(finding: Finding) -> str:
    case = f"    <testcase classname={_quoted(f'{finding.jail}.{finding.kind}')} name={_quoted(finding.attack)}"
    if finding.verdict == OK:
        return f"{case}/>"
    if finding.verdict == SKIPPED:
        return f"{case}><skipped message={_quoted(finding.why)}/></testcase>"
    said = f"{verdict_in_words(finding)}: expected {finding.expected} ({finding.policy}): {finding.why}"
    return f"{case}><failure type={_quoted(finding.verdict)} message={_quoted(said)}/></testcase>"


def _quoted(text: str) -> str:
    """An attribute, without the characters that XML 1.0 has no way to write: some of it is a jail's to say."""
    return quoteattr("".join(character if character.isprintable() else "?" for character in text))
