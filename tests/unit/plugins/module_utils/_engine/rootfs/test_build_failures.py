# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator reads when packages cannot be installed."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import build_failures

CASES = {
    "E: Unable to locate package nginx-lite": (
        "source.packages.include",
        "no package in bookworm is called nginx-lite",
    ),
    "E: Package 'foo' has no installation candidate": ("source.packages.include", "is called foo"),
    "E: Version '9' for 'nginx' was not found": ("source.packages.include", "no 9 of the package nginx"),
    "W: GPG error: http://m x InRelease: The following signatures couldn't be verified because the public key is not"
    " available: NO_PUBKEY 0E98": ("source.packages.keyring", "cannot be verified"),
    "E: The repository 'http://m/debian nope Release' does not have a Release file.": (
        "source.packages.suite",
        "no package source at http://m/debian nope Release",
    ),
    "Err:1 http://m bookworm InRelease\n  Temporary failure resolving 'm'": (
        "source.packages.mirror",
        "cannot be reached: Temporary failure resolving 'm'",
    ),
    "something else entirely": ("source.packages", "mmdebstrap failed"),
}


@pytest.mark.parametrize("output", CASES)
def test_the_option_to_blame_is_found_in_the_output(output):
    path, message = CASES[output]
    found = build_failures.explain(output, tool="mmdebstrap", suite="bookworm")
    assert found.path == path
    assert message in found.message
    assert found.remedy


def test_the_last_lines_are_shown_without_the_progress_in_between():
    output = "\n".join(f"line {number}" for number in range(50)) + "\n\n 10%\r 50%\rdone {braces}\n"
    message = build_failures.explain(output, tool="mmdebstrap", suite="x").message
    assert "line 49\n  done {braces}" in message
    assert "line 30" not in message
    assert "10%" not in message


def test_braces_in_the_output_are_no_placeholders():
    found = build_failures.explain("Could not connect to {suite} {0}", tool="apt", suite="x")
    assert "{suite} {0}" in found.message


@pytest.mark.parametrize(("output", "full"), [("cp: No space left on device", True), ("all is well", False)])
def test_a_full_disk_is_told_from_other_failures(output, full):
    assert build_failures.says_full(output) is full
