# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from dataclasses import dataclass

_SHOWN_LINES = 12


@dataclass(frozen=True)
class Explanation:
    """What a package tool's output comes to: the option to blame and what to do about it."""

    message: str
    path: str
    remedy: str


_RUN_AGAIN = "nothing of it was kept, so run it again then"
_PACKAGE = "source.packages.include"
_KNOWN = (
    (
        r"E: Unable to locate package (\S+)",
        "no package in {suite} is called {0}",
        _PACKAGE,
        "check the spelling, or name a suite and a mirror that have it",
    ),
    (
        r"E: Package '?([^\s']+)'? has no installation candidate",
        "no package in {suite} is called {0}",
        _PACKAGE,
        "check the spelling, or name a suite and a mirror that have it",
    ),
    (
        r"E: (?:Version|Release) '(\S+)' for '(\S+)' was not found",
        "there is no {0} of the package {1} in {suite}",
        _PACKAGE,
        "leave the version out, or name one that the mirror has",
    ),
    (
        r"((?:NO_PUBKEY|The following signatures|is not signed|No keyring installed).*)",
        "the package source's signature cannot be verified: {0}",
        "source.packages.keyring",
        "name the keyring that signs it",
    ),
    (
        r"E: (?:The repository '(.+?)' does not have a Release file)",
        "there is no package source at {0}",
        "source.packages.suite",
        "check the suite and the mirror",
    ),
    (
        r"((?:Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Cannot initiate the"
        r" connection|Connection (?:timed out|refused|failed|reset)|Failed to fetch|Undetermined Error).*)",
        "the package source cannot be reached: {0}",
        "source.packages.mirror",
        f"check the mirror, the network and apt's proxy; {_RUN_AGAIN}",
    ),
)


def explain(output: str, *, tool: str, suite: str) -> Explanation:
    """Find the cause of a failed build in the output of mmdebstrap, debootstrap or apt; else show its last lines."""
    for pattern, message, path, remedy in _KNOWN:
        match = re.search(pattern, output)
        if match:
            text = message.format(*(group.strip() for group in match.groups()), suite=suite)
            return Explanation(f"{text}\n{_last_lines(output, tool)}", path, remedy)
    return Explanation(f"{tool} failed\n{_last_lines(output, tool)}", "source.packages", f"see above; {_RUN_AGAIN}")


def says_full(output: str) -> bool:
    """Whether a tool ran out of disk space."""
    return "No space left on device" in output or "Disk quota exceeded" in output


def _last_lines(output: str, tool: str) -> str:
    # A progress display overwrites its line: what counts is the text after the last carriage return.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in output.split("\n")]
    shown = [line for line in lines if line.strip()][-_SHOWN_LINES:]
    return "\n".join([f"the last lines of {tool}:", *(f"  {line}" for line in shown)])
