# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.actions import KINDS
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.live import Live
from ansible_collections.hosting.jails.plugins.module_utils._model.options import SECTIONS
from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted, plan
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.host_model import Host, carry_out
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import (
    JAIL,
    documents,
    junk,
    lives,
    raw_documents,
)
from hypothesis import assume, given
from hypothesis import strategies as st

APPLY = st.sampled_from(["live", "restart"])
STATES = st.sampled_from([None, "present", "started", "stopped", "restarted", "frozen", "absent"])
# Nobody expects these two to have nothing to do the second time.
LASTING = {"restarted": "started"}


@st.composite
def hosts(draw):
    stored = draw(st.none() | documents())
    kept = draw(st.sampled_from([None, {"template": "debian"}, {"empty": True}]))
    return Host(stored, replace(draw(lives(stored)), previous=kept))


@st.composite
def tasks(draw):
    """A task about a whole jail, or about one part of it."""
    part = draw(st.sampled_from(["jail", *SECTIONS]))
    said = draw(raw_documents(with_rootfs=False))
    how = {"reset": draw(st.booleans()), "keep_previous": draw(st.sampled_from([None, False, True]))}
    if part == "jail":
        return Wanted(JAIL, said, state=draw(STATES), **how)
    return Wanted(JAIL, {part: said[part]} if part in said else {}, part=part, **how)


def again(task):
    """The same task, without what asks for something to be done each time."""
    return replace(task, state=LASTING.get(task.state, task.state), reset=False)


def planned(task, host, apply):
    try:
        return plan(task, host.stored, host.live, apply)
    except DocumentError:
        return assume(False)


@given(tasks(), hosts(), APPLY)
def test_a_plan_that_is_carried_out_leaves_nothing_to_plan(task, host, apply):
    first = planned(task, host, apply)
    after = carry_out(first, host)
    second = plan(again(task), after.stored, after.live, apply)
    assert not second.changed, second.lines()
    assert first.restart_required or not second.restart_required
    assert after.live.state == first.state_after
    assert after.stored == first.after


@given(tasks(), hosts(), APPLY, st.integers(0, 8))
def test_a_run_that_is_killed_is_finished_by_the_next_one(task, host, apply, steps):
    task = again(task)
    first = planned(task, host, apply)
    killed = carry_out(first, host, killed_after=steps)
    finished = carry_out(plan(task, killed.stored, killed.live, apply), killed)
    # Nothing remembers that a jail was frozen once it is thawed: it may run, but it never stays down.
    assert finished.live.state == first.state_after or (finished.live.state, first.state_after) == ("running", "frozen")
    assert finished.stored == first.after
    assert not plan(task, finished.stored, finished.live, apply).changed


@given(tasks(), hosts(), APPLY, st.randoms(use_true_random=False))
def test_the_order_of_options_does_not_matter(task, host, apply, random):
    names = list(task.given)
    random.shuffle(names)
    other = replace(task, given={name: task.given[name] for name in names})
    assert planned(task, host, apply) == plan(other, host.stored, host.live, apply)


@given(tasks(), hosts(), APPLY)
def test_no_plan_touches_what_nobody_asked_to_touch(task, host, apply):
    found = planned(task, host, apply)
    kinds = {action.kind for action in found.actions}
    if task.state == "absent":
        return
    for name, value in (host.stored or {}).items():
        assert name in task.given or found.after[name] == value
    assert not kinds & {"document.remove", "rootfs.remove"}
    assert task.reset or "rootfs.reset" not in kinds
    assert task.keep_previous is False or "rootfs.forget" not in kinds
    if task.state in (None, "present") and apply == "live":
        assert not kinds & {"jail.start", "jail.stop", "jail.freeze", "jail.thaw"}
    if task.part not in ("jail", "rootfs"):
        assert "rootfs.create" not in kinds
    if task.part != "jail":
        assert "limits.set" not in kinds


@given(hosts(), APPLY)
def test_a_running_jail_is_stopped_only_if_asked(host, apply):
    found = planned(Wanted(JAIL, state="started"), host, apply)
    if "jail.stop" in {action.kind for action in found.actions}:
        assert apply == "restart"
        assert found.reasons


@given(tasks(), hosts(), APPLY)
def test_a_plan_has_one_order(task, host, apply):
    kinds = [action.kind for action in planned(task, host, apply).actions]
    ranks = [ORDER.index(kind) for kind in kinds]
    assert ranks == sorted(ranks)
    assert len(set(kinds) - {"option.defer"}) == len([kind for kind in kinds if kind != "option.defer"])


ORDER = [
    "document.write",
    "jail.thaw",
    "jail.stop",
    "rootfs.create",
    "rootfs.reset",
    "rootfs.restore",
    "rootfs.forget",
    "firewall.change",
    "network.create",
    "network.change",
    "network.remove",
    "firewall.remove",
    "rootfs.remove",
    "document.remove",
    "jail.start",
    "limits.set",
    "devices.change",
    "jail.freeze",
    "option.defer",
]


def test_the_order_is_that_of_all_kinds():
    assert sorted(ORDER) == sorted(KINDS)


@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(["ip", "limits"]), junk, max_size=3), hosts(), STATES)
def test_junk_gives_a_document_error_and_nothing_else(said, host, state):
    try:
        plan(Wanted(JAIL, said, state=state), host.stored, host.live)
    except DocumentError as error:
        assert str(error).startswith(f"jail {JAIL}: ")


@pytest.mark.parametrize("apply", ["", "reboot", None])
def test_an_unknown_way_to_apply_is_refused(apply):
    with pytest.raises(DocumentError, match="apply: .* is not a choice; use live or restart"):
        plan(Wanted(JAIL), None, Live(), apply)
