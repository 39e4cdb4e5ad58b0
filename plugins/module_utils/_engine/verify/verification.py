# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Whether a running jail keeps what its document promises: attacks from inside, and each compared with the policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..._model.devices import TERMINALS
from ..._model.document import effective
from .. import allocations, devices, enter, report, store
from ..errors import EngineError
from ..network_state import GATEWAY4
from ..truth import report_on
from .attack import Attack, Outcome
from .bait import Bait, own_files, surroundings
from .catalogue import ATTACKS
from .expectations import DENIED, EITHER, UNTRIED, WORKS, Expected, Policy, policy_of
from .inside import carry_out

OK, BREACH, TOO_TIGHT, SKIPPED, LOST = "ok", "breach", "too tight", "skipped", "lost"
_RECEIVED_AT = {"vnet": GATEWAY4, "none": GATEWAY4, "shared": "127.0.0.1", "host": "127.0.0.1"}


class Finding(NamedTuple):
    """What an attack on a jail came to. ``expected`` is denied, works, either or untried, and ``outcome`` denied,
    works, or empty where there is none; ``policy`` says why that is expected, ``why`` what happened."""

    jail: str
    kind: str
    attack: str
    verdict: str
    expected: str
    policy: str
    outcome: str
    why: str


def verify(name: str, *, only: Sequence[str] = ()) -> list[Finding]:
    """Attack a running jail from inside, and compare with its stored document; ``only`` some attacks, or all.

    EngineError for a jail that does not run or cannot be entered, and for an attack that there is not.
    """
    unknown = sorted(set(only) - set(ATTACKS))
    if unknown:
        raise EngineError(name, f"{unknown[0]!r} is not an attack", remedy="jailctl verify --list names them")
    document, policy = policy_for(name)
    return compare(name, policy, attack(name, document, policy, only or list(ATTACKS)))


def policy_for(name: str) -> tuple[dict[str, Any], Policy]:
    """The effective document of a jail as it is stored, and the policy that it comes to on this host."""
    stored = store.read_document(name)
    if stored is None:
        raise EngineError(name, "there is no such jail on this host", remedy="jailctl list")
    document = effective(stored)
    return document, policy_of(document, report_on(document))


def attack(
    name: str,
    document: Mapping[str, Any],
    policy: Policy,
    only: Sequence[str],
    *,
    facts: Mapping[str, Any] | None = None,
    strangers: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Outcome]:
    """The outcome of every attack that the policy leaves to be tried.

    ``facts`` are put over those that are found here, ``strangers`` are more of what Bait has. Who gives another
    ``receiver`` judges himself what is heard.
    """
    target = enter.open_target(name)
    decided = {one: ATTACKS[one].rule.decide(policy) for one in only}
    outcomes = {one: Outcome(None, said.why) for one, said in decided.items() if said.outcome == UNTRIED}
    names = [one for one in only if one not in outcomes]
    judged = not facts or "receiver" not in facts
    with bait_for(name) as bait:
        bait.facts["strangers"] += strangers
        whole = {**facts_of(document, policy, init=target.pid, bait=bait), **(facts or {})}
        for answer in carry_out(target, names, whole):
            if answer is None:
                bait.talk()
                continue
            one, outcome = answer
            outcomes[one] = bait.judge(outcome) if ATTACKS[one].heard and judged else outcome
    return outcomes


def bait_for(name: str) -> Bait:
    """What a jail should not get at."""
    allocation = allocations.find(name)
    addresses = [address.partition("/")[0] for address in report.describe(name)["addresses"]]
    return Bait(own_addresses=addresses, root=allocation.uid_base if allocation else 0)


def facts_of(document: Mapping[str, Any], policy: Policy, *, init: int, bait: Bait) -> dict[str, Any]:
    """All that attacks on a jail have to know; ``init`` is the host's pid of its first process."""
    return {
        **bait.facts,
        **surroundings(document, init, _numbers(document)),
        "receiver": [_RECEIVED_AT[policy.network], bait.port],
        "own_files": own_files(is_system=policy.is_system),
        "own_ids": policy.user_namespace,
    }


def _numbers(document: Mapping[str, Any]) -> list[list[int]]:
    """Major and minor numbers of the devices that a jail is given."""
    given = [[device.major, device.minor] for device in devices.resolve(document)]
    return given + [[major, minor] for major, minor in TERMINALS if minor is not None]


def compare(name: str, policy: Policy, outcomes: Mapping[str, Outcome]) -> list[Finding]:
    """What the outcomes of attacks mean by a policy."""
    return list(_compare(name, policy, outcomes))


def _compare(name: str, policy: Policy, outcomes: Mapping[str, Outcome]) -> Iterator[Finding]:
    for tried in ATTACKS.values():
        if tried.name in outcomes:
            yield _finding(name, tried, tried.rule.decide(policy), outcomes[tried.name])


def _finding(jail: str, tried: Attack, expected: Expected, outcome: Outcome) -> Finding:
    said = {True: WORKS, False: DENIED, None: ""}[outcome.allowed]
    return Finding(
        jail=jail,
        kind=tried.kind,
        attack=tried.name,
        verdict=LOST if outcome.lost else _verdict(expected.outcome, said),
        expected=expected.outcome,
        policy=expected.why,
        outcome=said,
        why=", ".join(map(str, outcome.why)) if isinstance(outcome.why, list) else str(outcome.why or ""),
    )


def _verdict(expected: str, outcome: str) -> str:
    if not outcome:
        return SKIPPED
    if expected in (outcome, EITHER):
        return OK
    return BREACH if outcome == WORKS else TOO_TIGHT
