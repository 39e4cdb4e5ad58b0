# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from ..._kernel import files
from ..._model.fleet import Member
from ..errors import EngineError
from .drift import drift
from .jobs import Job
from .planning import Planned
from .refusal import Refusal
from .task import Task

_FORMAT = 1


def write(path: str, task: Task, planned: Planned) -> None:
    """Store a task, what it comes to, and what it was planned from; for root's eyes only, since documents hold secrets.

    Written aside, under a name that must be new, and renamed: also in a directory like /tmp nobody else gets to see it.
    """
    text = json.dumps(_content(task, planned), indent=1, sort_keys=True) + "\n"
    if files.read_text(path) == text:
        return
    temporary = files.temporary_of(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        os.rename(temporary, path)
    except OSError as error:
        raise _error(f"{path} cannot be written: {error.strerror}", "name a file in a directory of root's") from error


def _content(task: Task, planned: Planned) -> dict[str, Any]:
    seen = seen_by(planned)
    return {
        "format": _FORMAT,
        "task": _task_as_json(task),
        "purged": planned.purged,
        "actions": {job.name: job.plan.lines() for job in planned.jobs.values() if job.plan and job.plan.actions},
        "seen": seen,
        "fingerprint": fingerprint(seen, planned.purged),
    }


def read(path: str) -> dict[str, Any]:
    """A plan as write() has stored it. EngineError where it is none, or where somebody else may have written it."""
    try:
        with files.closing(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)) as fd:
            status = os.fstat(fd)
            if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise _error(f"{path} may have been written by somebody else than root", "plan again")
            with open(fd, encoding="utf-8", closefd=False) as file:
                content = json.load(file)
    except OSError as error:
        remedy = "make it first, with mode: plan (of the role fleet: fleet_mode)"
        raise _error(f"{path} cannot be read: {error.strerror}", remedy) from error
    except ValueError as error:
        raise _error(f"{path} is not valid JSON", "plan again") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _error(f"{path} is no plan of this release", "plan again")
    return content


def task_of(content: Mapping[str, Any]) -> Task:
    """The task that a plan was made for."""
    try:
        task = dict(content["task"])
        return Task(**{**task, "members": [Member(**member) for member in task["members"]]})
    except (KeyError, TypeError) as error:
        raise _error("it is not as it was written", "plan again") from error


def refuse_drift(content: Mapping[str, Any], planned: Planned) -> None:
    """Refusal where the host is not any more as the plan has it, for each jail that is not.

    A host on which nothing is left to be done is as it should be.
    """
    seen = seen_by(planned)
    if fingerprint(seen, planned.purged) == content.get("fingerprint"):
        return
    jobs = planned.jobs.values()
    if not any(job.changes or job.failure for job in jobs):
        return
    before = content.get("seen", {})
    found = {name: drift(before.get(name), seen.get(name)) for name in sorted({*before, *seen})}
    mistakes = [_drifted(name, lines) for name, lines in found.items() if lines]
    raise Refusal(mistakes or [_error("it is not as it was written", "plan again")])


def seen_by(planned: Planned) -> dict[str, Any]:
    """What a plan was made from: documents and live states."""
    return {job.name: _seen(job) for job in planned.jobs.values()}


def _seen(job: Job) -> Any:
    live = asdict(job.live)
    return json.loads(files.canonical_json({"document": job.stored, "live": live, "failure": job.failure}))


def fingerprint(seen: Mapping[str, Any], purged: list[str]) -> str:
    """One word for all that was seen."""
    return sha256(files.canonical_json([seen, purged]).encode()).hexdigest()


def _task_as_json(task: Task) -> dict[str, Any]:
    return {**vars(task), "members": [vars(member) for member in task.members]}


def _drifted(name: str, lines: list[str]) -> EngineError:
    return EngineError(name, f"has changed since the plan: {', '.join(lines)}", remedy="plan again")


def _error(message: str, remedy: str) -> EngineError:
    return EngineError("", message, path="plan", remedy=remedy)
