# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything at once on a few jails: who changes one may be told that others were quicker, who looks never fails.

FAULTS_SECONDS in the environment is for how long (a thousand find more than ten), FAULTS_SEED which work is done,
FAULTS_LOAD how many processes keep the processors busy meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import report, report_parts, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import templates
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client, connection
from ansible_collections.hosting.jails.plugins.module_utils._model.arguments import GATHER
from ansible_collections.hosting.jails.tests.faults import roots
from ansible_collections.hosting.jails.tests.faults.tasks import run, task, template, whole_jail
from ansible_collections.hosting.jails.tests.faults.test_fleet import fleet
from ansible_collections.hosting.jails.tests.faults.test_parallel import at_once
from ansible_collections.hosting.jails.tests.faults.test_shared import LINK, ip
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world

SECONDS = float(os.environ.get("FAULTS_SECONDS", "5"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
LOAD = int(os.environ.get("FAULTS_LOAD", "0"))
NAMES = ("flt-1", "flt-2", "flt-3")
TEMPLATES = ("flt", "flt-other")
WORKERS = 4

Dice = random.Random
Work = Callable[[], Any]

# What a task may be told that comes too late, or too early; each names the jail.
_TOO_LATE = (
    r"rootfs: there is no root file system to start from; ",
    r"rootfs\.source: the root file system was made from template [\w-]+, not from template [\w-]+; ",
    r"was started and ended at once",
    r"is not defined; ",
    r"has ended meanwhile; ",
)
_NOT_THERE = (
    r"there is no such jail on this host; ",
    r"is not running; ",
    r"is frozen; ",
    r"rootfs: it has no root file system; ",
)


def _jail(dice: Dice, name: str) -> dict[str, Any]:
    """Options of a jail, some of them now these and now others."""
    number = NAMES.index(name) + 1
    options = whole_jail(number, hostname=dice.choice(["one", "other"]))
    options["ip"] = dice.choice([_routed(dice, number), _routed(dice, number), _shared(number)])
    options["limits"] = {"pids": dice.choice([40, 50]), "memory": "64M"}
    options["restart"] = {"policy": dice.choice(["never", "always"]), "delay": 1}
    return options


def _routed(dice: Dice, number: int) -> dict[str, Any]:
    addresses = [f"10.22.{number}.{host}/32" for host in range(1, dice.randrange(2, 5))]
    rules = dice.choice([[], [{"protocol": "tcp", "ports": [dice.randrange(1, 1000)], "action": "drop"}]])
    rates = dice.choice([{}, {"egress": "10M", "ingress": "20M"}])
    wire = {"mode": "vnet", "interface": "", "addresses": addresses}
    return {**wire, "firewall": {"inbound": {"rules": rules}}, "bandwidth": rates}


def _shared(number: int) -> dict[str, Any]:
    addresses = [f"10.22.{number}.9/32"]
    return {"mode": "shared", "interface": LINK, "addresses": addresses, "firewall": {}, "bandwidth": {}}


def _state(dice: Dice) -> Work:
    name = dice.choice(NAMES)
    state = dice.choice(["started", "started", "present", "stopped", "restarted", "frozen", "absent"])
    given = _jail(dice, name) if state in ("started", "present") and dice.random() < 0.7 else {}
    return task(state, name=name, apply_mode=dice.choice(["live", "restart"]), **given)


def _part(dice: Dice) -> Work:
    name, apply_mode = dice.choice(NAMES), dice.choice(["live", "restart"])
    if dice.random() < 0.5:
        return task(part="ip", name=name, apply_mode=apply_mode, ip=_jail(dice, name)["ip"])
    caps = dice.choice([{"keep": ["NET_RAW"]}, {"devices": ["none"]}, {"devices": ["minimal"]}, {}])
    return task(part="caps", name=name, apply_mode=apply_mode, caps=caps)


def _reset(dice: Dice) -> Work:
    source = {"rootfs": {"source": {"template": dice.choice(TEMPLATES)}}}
    return task(part="rootfs", name=dice.choice(NAMES), reset=True, apply_mode="restart", **source)


def _fleet(dice: Dice) -> Work:
    members: list[dict[str, Any]] = []
    for name in dice.sample(NAMES, dice.randrange(1, 4)):
        state = dice.choice(["started", "started", "stopped", "present", "absent"])
        members.append({"name": name, "state": state, **(_jail(dice, name) if state != "absent" else {})})
    work = fleet(*members, parallel=dice.randrange(1, 4), apply=dice.choice(["live", "restart"]))

    def bring_about() -> None:
        for row in work()["jails"]:
            if row["failed"]:
                raise EngineError("", str(row["msg"]))

    return bring_about


def _template(dice: Dice) -> Work:
    name = dice.choice(TEMPLATES)

    def build() -> None:
        present = templates.current(name)
        templates.build(name, roots.source(), instead_of=present.generation if present else "")

    return build


def _end(dice: Dice) -> Work:
    """The first process of a jail ends."""
    name = dice.choice(NAMES)

    def end() -> None:
        state = store.read_state(name)
        if state and status.is_alive(state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)

    return end


def _supervisor(dice: Dice) -> Work:
    """It leaves, is killed, or is looked for."""

    def kill() -> None:
        found = connection.try_connect()
        if found:
            with found, contextlib.suppress(ProcessLookupError):
                os.kill(connection._pid_of(found), signal.SIGKILL)

    return dice.choice([client.dismiss, client.keep_watch, kill])


def _check(dice: Dice) -> Work:
    name = dice.choice(NAMES)
    return task(name=name, check=True, **_jail(dice, name))


def _enter(dice: Dice) -> Work:
    stopped = ["--stopped"] if dice.random() < 0.2 else []
    return _command("exec", *stopped, dice.choice(NAMES), "--", "true")


def _look(dice: Dice) -> Work:
    words = ["list", "list --json", "status", "stat", "ps", "ps --privileges", "top --once --interval 0.1", "jls -v"]
    return _command(*dice.choice([*words, "vserver-stat"]).split())


def _info(_unused: Dice) -> Work:
    def look() -> None:
        rows = report.describe_all(store.names(), GATHER)
        found = {row["name"]: row for row in report_parts.describe_templates()}
        drift = [each["drift"] for row in rows for each in row["privileges"].get("drift", ())]
        # That waits for a restart, as somebody has said.
        wrong = [text for texts in drift for text in texts if "until the jail is restarted" not in text]
        wrong += [f"{row['name']}: {row['privileges']}" for row in rows if "message" in row["privileges"]]
        wrong += [f"no template {name}" for name in TEMPLATES if found.get(name, {}).get("state") != "present"]
        wrong += store.warnings()
        if wrong:
            raise EngineError("", "; ".join(wrong))

    return look


def _command(*words: str) -> Work:
    """jailctl; what it complains of is a failure."""

    def carry_out() -> None:
        null, complaints = os.open(os.devnull, os.O_RDWR), os.memfd_create("complaints")
        for fd, stream in ((null, 0), (null, 1), (complaints, 2)):
            os.dup2(fd, stream)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(fd, "w", closefd=False)) for fd in (1, 2))
        main.main(["jailctl", *words])
        sys.stderr.flush()
        told = os.pread(complaints, 1 << 16, 0).decode()
        if told:
            raise EngineError("", told.replace("jailctl: ", "").strip())

    return carry_out


# How often, what, and what may be said of it.
WORKS: dict[str, tuple[int, Callable[[Dice], Work], tuple[str, ...]]] = {
    "state": (6, _state, _TOO_LATE),
    "part": (4, _part, _TOO_LATE),
    "reset": (2, _reset, _TOO_LATE),
    "fleet": (3, _fleet, _TOO_LATE),
    "check": (2, _check, _TOO_LATE),
    "template": (1, _template, ()),
    "end": (1, _end, ()),
    "supervisor": (1, _supervisor, ()),
    "enter": (4, _enter, _NOT_THERE),
    "look": (4, _look, ()),
    "info": (4, _info, ()),
}


def _labour(seed: int, until: float) -> Work:
    """Work for one process: what is wrong of what it is told, and how much of each it has done."""

    def work() -> dict[str, Counter[str]]:
        dice = Dice(seed)
        wrong: Counter[str] = Counter()
        done: Counter[str] = Counter()
        while time.monotonic() < until:
            (name,) = dice.choices(list(WORKS), [often for often, _unused, _unused in WORKS.values()])
            told = _told(WORKS[name][1](dice))
            expected = [rf"jail flt-\d: {text}" for text in WORKS[name][2]]
            done[name] += 1
            if told and not any(re.match(text, told) for text in expected):
                wrong[f"{name}: {told}"] += 1
        return {"wrong": wrong, "done": done}

    return work


def _told(work: Work) -> str:
    try:
        outcome = run(work)
    except AssertionError as error:
        return str(error)
    return "it was killed" if outcome.killed else outcome.failure


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    idlers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _unused in range(LOAD)]
    try:
        yield
    finally:
        for each in idlers:
            each.kill()
            each.wait()


def _prepare() -> list[str]:
    ip(f"link add {LINK} type veth peer name host1")
    ip(f"link set {LINK} up")
    for name in TEMPLATES:
        run(lambda name=name: template(name))  # type: ignore[misc]
    return world()


def test_whatever_is_done_at_once_nobody_fails_for_what_others_do() -> None:
    before = _prepare()
    until = time.monotonic() + SECONDS
    with _busy():
        outcomes = at_once([_labour(SEED * 1000 + number, until) for number in range(WORKERS)])
    wrong: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for outcome in outcomes:
        assert outcome.result is not None, outcome.failure
        wrong += outcome.result["wrong"]
        done += outcome.result["done"]
    # For who looks (pytest -s).
    print(dict(done))
    assert not wrong, "\n".join(f"{number} times {told}" for told, number in wrong.most_common())
    assert strays() == []
    for name in NAMES:
        outcome = run(task("absent", name=name))
        assert not outcome.failure, outcome.failure
    assert settled(before, passing="/templates/") == []
