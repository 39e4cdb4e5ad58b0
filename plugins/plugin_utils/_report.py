# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..module_utils._model.place import some
from ._report_values import (
    Bar,
    address_of,
    duration,
    listed,
    mapping,
    natural,
    number,
    rows_of,
    size,
    size_bar,
    text,
)

LEVELS = ("critical", "warning", "notice")
STATES = ("running", "frozen", "stopped", "failed", "stuck")
_STATE_DIRECTORY = "/var/lib/jails"
_DISK_CRITICAL = 97.0
_ENDED = {
    "stopped": "stopped",
    "exited": "ended by itself",
    "killed": "ended by a signal",
    "rebooted": "rebooted from inside",
    "powered_off": "powered off from inside",
    "unseen": "ended unseen",
}


@dataclass(frozen=True)
class Problem:
    """Something that somebody may have to do something about.

    ``jail`` is empty for one of the host itself, and several names where jails of a host have it in common.
    """

    level: str
    host: str
    jail: str
    what: str
    detail: str = ""


@dataclass(frozen=True)
class JailRow:
    """A jail as people look at it."""

    host: str
    name: str
    state: str
    ended: str
    uptime: str
    uptime_seconds: float
    addresses: list[str]
    hostname: str
    memory: Bar
    cpu: Bar
    pids: Bar
    written: str
    written_bytes: float
    template: str
    stale: bool
    profile: str
    labels: list[tuple[str, str]]
    autostart: bool
    level: str = ""


@dataclass(frozen=True)
class HostRow:
    """A jail host as people look at it; ``state`` is up, down (unreachable) or failed (it answered with an error)."""

    name: str
    state: str
    message: str
    system: str
    uptime: str
    load: str
    memory: Bar
    disk: Bar
    drained: bool
    jails: dict[str, int]
    templates: list[dict[str, Any]]
    level: str = ""


@dataclass
class _Findings:
    """What is gathered from one host after the other."""

    warn: float
    hosts: list[HostRow] = field(default_factory=list)
    jails: list[JailRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def report(seen: Sequence[Mapping[str, Any]], *, warn: float = 90.0) -> dict[str, Any]:
    """What a page of the fleet shows, worst first: ``summary``, ``problems``, ``hosts``, ``jails``.

    ``seen`` is one mapping a host: ``name``, ``answer`` (the result of jail_info with resources, disk and templates),
    ``earlier`` (the result of an earlier look, for rates of processor time), ``facts`` (without their prefix) and
    ``drained``. Whatever is missing or of another type than it should be is left out: it comes from hosts and jails
    that somebody may have broken into. ``warn`` is the percentage of a limit from which on its use is a problem.
    """
    found = _Findings(warn)
    for host in seen:
        _look_at(host, found)
    problems = sorted(found.problems, key=_by_level)
    ranks = {(problem.host, problem.jail): problem.level for problem in problems[::-1]}
    hosts = [_with_level(row, ranks.get((row.name, ""), "")) for row in found.hosts]
    jails = [_with_level(row, ranks.get((row.host, row.name), "")) for row in found.jails]
    return {
        "summary": _summary(found),
        "problems": [asdict(problem) for problem in _in_common(problems)],
        "hosts": sorted(hosts, key=lambda row: (_rank(row["level"]), natural(row["name"]))),
        "jails": sorted(jails, key=lambda row: (_rank(row["level"]), natural(row["host"]), natural(row["name"]))),
    }


def _look_at(host: Mapping[str, Any], found: _Findings) -> None:
    name, answer = text(host.get("name")), mapping(host.get("answer"))
    facts = mapping(host.get("facts"))
    state = "down" if answer.get("unreachable") else "failed" if answer.get("failed") or "jails" not in answer else "up"
    jails = rows_of(answer, "jails")
    templates = rows_of(answer, "templates")
    row = HostRow(
        name=name,
        state=state,
        message="" if state == "up" else text(answer.get("msg")) or "it gave no answer",
        system=" ".join(
            filter(None, (text(facts.get(key)) for key in ("distribution", "distribution_version", "kernel")))
        ),
        uptime=duration(number(facts.get("uptime_seconds"))),
        load=_load(facts),
        memory=_host_memory(facts),
        disk=_host_disk(facts),
        drained=bool(host.get("drained")),
        jails=dict(Counter(_state(jail) for jail in jails)),
        templates=[_template(template) for template in templates],
    )
    found.hosts.append(row)
    found.problems += _problems_of_host(row, templates, found.warn)
    earlier = {text(jail.get("name")): jail for jail in rows_of(mapping(host.get("earlier")), "jails")}
    for jail in jails:
        shown = _jail(name, jail, earlier.get(text(jail.get("name")), {}))
        found.jails.append(shown)
        found.problems += _problems_of_jail(shown, jail, found.warn)


def _jail(host: str, jail: Mapping[str, Any], earlier: Mapping[str, Any]) -> JailRow:
    resources, disk = mapping(jail.get("resources")), mapping(jail.get("disk"))
    used, limits = mapping(resources.get("used")), mapping(resources.get("limits")) or mapping(jail.get("limits"))
    seconds = number(jail.get("uptime"))
    written = number(disk.get("used"))
    return JailRow(
        host=host,
        name=text(jail.get("name")),
        state=_state(jail),
        ended=_ended(jail) if _state(jail) != "running" or _is_by_itself(jail) else "",
        uptime=duration(seconds),
        uptime_seconds=seconds or 0.0,
        addresses=[address_of(address) for address in listed(jail.get("addresses"))],
        hostname=text(jail.get("hostname")),
        memory=size_bar(used.get("memory_working", used.get("memory")), limits.get("memory")),
        cpu=_cpu(resources, mapping(earlier.get("resources")), limits.get("cpus")),
        pids=_count_bar(used.get("pids"), limits.get("pids")),
        written="" if written is None else size(written),
        written_bytes=written or 0.0,
        template=text(disk.get("template") or jail.get("template")),
        stale=disk.get("stale") is True,
        profile=text(jail.get("profile")),
        labels=sorted((text(key), text(value)) for key, value in mapping(jail.get("labels")).items()),
        autostart=jail.get("autostart") is True,
    )


def _cpu(now: Mapping[str, Any], before: Mapping[str, Any], limit: Any) -> Bar:
    """Processors in use between two looks; empty where there was one look, or a restart between the two."""
    used, used_before = (number(mapping(look.get("used")).get("cpu_usec")) for look in (now, before))
    at, at_before = number(now.get("at")), number(before.get("at"))
    if used is None or used_before is None or at is None or at_before is None or at <= at_before or used < used_before:
        return Bar()
    return Bar.of((used - used_before) / 1e6 / (at - at_before), number(limit), lambda value: f"{value:.2f}")


def _count_bar(used: Any, limit: Any) -> Bar:
    return Bar.of(number(used), number(limit), lambda value: f"{value:.0f}")


def _state(jail: Mapping[str, Any]) -> str:
    state = text(jail.get("state"))
    return state if state in STATES else "unknown"


def _template(template: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": text(template.get("name")),
        "created": text(template.get("created"))[:10],
        "generations": len(listed(template.get("generations"))),
        "jails": len(listed(template.get("jails"))),
    }


def _load(facts: Mapping[str, Any]) -> str:
    load = number(mapping(facts.get("loadavg")).get("1m"))
    processors = number(facts.get("processor_nproc"))
    if load is None:
        return ""
    return f"{load:.2f} on {processors:.0f} processors" if processors else f"{load:.2f}"


def _host_memory(facts: Mapping[str, Any]) -> Bar:
    nocache = mapping(mapping(facts.get("memory_mb")).get("nocache"))
    used, total = number(nocache.get("used")), number(facts.get("memtotal_mb"))
    return size_bar(None if used is None else used * 2**20, None if total is None else int(total * 2**20))


def _host_disk(facts: Mapping[str, Any]) -> Bar:
    """The file system under the jails' state: the mount point that is the longest beginning of its path."""
    mounts = [mapping(mount) for mount in listed(facts.get("mounts"))]
    under = [mount for mount in mounts if f"{_STATE_DIRECTORY}/".startswith(text(mount.get("mount")).rstrip("/") + "/")]
    if not under:
        return Bar()
    chosen = max(under, key=lambda mount: len(text(mount.get("mount"))))
    total, free = number(chosen.get("size_total")), number(chosen.get("size_available"))
    return Bar() if total is None or free is None else size_bar(total - free, int(total))


def _problems_of_host(row: HostRow, templates: Sequence[Mapping[str, Any]], warn: float) -> Iterator[Problem]:
    if row.state == "down":
        yield Problem("critical", row.name, "", "cannot be reached", row.message)
    if row.state == "failed":
        yield Problem("critical", row.name, "", "did not tell of its jails", row.message)
    disk = row.disk.percent or 0.0
    if disk >= warn:
        level = "critical" if disk >= _DISK_CRITICAL else "warning"
        yield Problem(level, row.name, "", f"{disk:.0f} % of the disk below {_STATE_DIRECTORY} is used", row.disk.text)
    if (row.memory.percent or 0.0) >= warn:
        yield Problem("warning", row.name, "", f"{row.memory.percent:.0f} % of its memory is used", row.memory.text)
    for template in templates:
        if text(template.get("state")) == "damaged":
            name = text(template.get("name"))
            yield Problem("critical", row.name, "", f"template {name} is damaged", text(template.get("message")))
    if row.drained:
        yield Problem("notice", row.name, "", "is drained", "drain_state=restored brings its jails back")


def _problems_of_jail(row: JailRow, jail: Mapping[str, Any], warn: float) -> Iterator[Problem]:
    def problem(level: str, what: str, detail: str = "") -> Problem:
        return Problem(level, row.host, row.name, what, detail)

    message = text(jail.get("message"))
    if row.state in ("failed", "stuck", "unknown"):
        yield problem("critical", "has failed" if row.state == "failed" else f"is {row.state}", message)
    elif row.state == "stopped" and row.autostart:
        yield problem("warning", "is stopped, and is to run whenever the host does", _ended(jail) or _exit(jail))
    elif row.state == "frozen":
        yield problem("notice", "is frozen")
    elif message:
        yield problem("warning", "has a problem", message)
    kills = number(mapping(mapping(jail.get("resources")).get("used")).get("oom_kills")) or 0
    if kills:
        yield problem("warning", f"had {kills:.0f} processes killed for want of memory", row.memory.text)
    restarts = number(jail.get("restarts")) or 0
    if restarts and row.state == "running" and _ending(jail) != "rebooted":
        yield problem("warning", f"was started again {restarts:.0f} times in a row by its policy", _ended(jail))
    for use, what in ((row.memory, "memory"), (row.pids, "processes"), (row.cpu, "processor time")):
        if (use.percent or 0.0) >= warn:
            yield problem("warning", f"uses {use.percent:.0f} % of the {what} that it may", use.text)
    if row.stale:
        yield problem("notice", f"stands on another generation of template {row.template} than the current one")


def _in_common(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Each problem of a host once: a new template would fill the page with a line for each jail otherwise."""
    jails: dict[Problem, list[str]] = {}
    for problem in problems:
        jails.setdefault(replace(problem, jail=""), []).append(problem.jail)
    return (replace(problem, jail=some(names)) for problem, names in jails.items())


def _ending(jail: Mapping[str, Any]) -> str:
    return text(mapping(jail.get("ended")).get("how"))


def _is_by_itself(jail: Mapping[str, Any]) -> bool:
    """Whether a jail that runs again had ended without anybody outside having said so."""
    return _ending(jail) not in ("", "stopped")


def _ended(jail: Mapping[str, Any]) -> str:
    """How and when it ended last; empty for a word that we do not know, or none."""
    words, when = _ENDED.get(_ending(jail), ""), text(mapping(jail.get("ended")).get("at"))
    return f"{words}, {when}" if words and when else words


def _exit(jail: Mapping[str, Any]) -> str:
    status = number(jail.get("exit_status"))
    return "" if status is None else f"its init ended with status {status:.0f}"


def _summary(found: _Findings) -> dict[str, Any]:
    levels = Counter(problem.level for problem in found.problems)
    states = Counter(row.state for row in found.jails)
    return {
        "hosts": len(found.hosts),
        "hosts_up": sum(row.state == "up" for row in found.hosts),
        "jails": len(found.jails),
        "states": {state: states[state] for state in (*STATES, "unknown") if states[state]},
        "problems": {level: levels[level] for level in LEVELS if levels[level]},
        "worst": next((level for level in LEVELS if levels[level]), ""),
    }


def _with_level(row: HostRow | JailRow, level: str) -> dict[str, Any]:
    return {**asdict(row), "level": level}


def _by_level(problem: Problem) -> tuple[Any, ...]:
    """Worst first, and hosts before jails: what is wrong with a jail may be wrong with its host."""
    return _rank(problem.level), bool(problem.jail), natural(problem.host), natural(problem.jail)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
