# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How findings are told."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import results
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.attack import Outcome
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.expectations import Policy
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.verification import compare

# A service without a network.
POLICY = Policy(
    profile="service",
    capabilities=frozenset({"CHOWN"}),
    permissions=frozenset(),
    refused=frozenset(),
    seccomp="default",
    securebits=frozenset(),
    network="none",
    owns_network=False,
    init="auto",
    rlimits=frozenset(),
    holds=frozenset(),
)
OUTCOMES = {
    "give_files_away": Outcome(True),
    "change_the_root": Outcome(False, "EPERM"),
    "climb_up": Outcome(True, ["/", '\x1b[31m<&"\0']),
    "signal_own_processes": Outcome(False, "EPERM"),
    "take_locks_off_volumes": Outcome(None, "the jail has no volume"),
    "bind_freely": Outcome(True, "nobody's"),
    "load_modules": Outcome(None, "killed by somebody", lost=True),
}


@pytest.fixture
def findings():
    return compare("web1", POLICY, OUTCOMES)


def test_an_outcome_is_judged_by_the_policy(findings):
    assert {finding.attack: finding.verdict for finding in findings} == {
        "give_files_away": "ok",
        "change_the_root": "ok",
        "climb_up": "breach",
        "signal_own_processes": "too tight",
        "take_locks_off_volumes": "skipped",
        "bind_freely": "ok",
        "load_modules": "lost",
    }
    assert [finding.attack for finding in results.breaches(findings)] == ["climb_up"]


@pytest.mark.parametrize("attack", ["climb_up", "signal_own_processes", "load_modules"])
def test_green_is_what_came_to_what_the_policy_says(findings, attack):
    fine = [finding for finding in findings if finding.verdict in ("ok", "skipped")]
    assert results.is_green(fine)
    assert not results.is_green([*fine, *(finding for finding in findings if finding.attack == attack)])


def test_the_table_has_what_went_wrong_first(findings):
    rows = results.table_rows(findings)
    assert {row["verdict"] for row in rows[:3]} == {"too tight", "BREACH", "lost"}
    assert {row["verdict"] for row in rows[3:]} == {
        "ok (works, as the profile allows)",
        "ok (denied, as the policy says)",
        "skipped (the jail has no volume)",
    }


def test_the_summary_counts(findings):
    assert results.summary(findings) == "web1: 7 attacks, 1 breach, 1 too tight, 1 lost, 3 ok, 1 skipped"
    assert results.summary([]) == "nothing was tried"


def test_junit_is_xml_whatever_a_jail_says(findings):
    (suite,) = ElementTree.fromstring(results.junit(findings))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "3", "1")
    failed = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert failed.keys() == {"climb_up", "signal_own_processes", "load_modules"}
    assert failed["climb_up"].get("type") == "breach"
    assert '<&"' in failed["climb_up"].get("message")
