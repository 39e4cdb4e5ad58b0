# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``private_state``: the test sees empty /etc/jails, /run/jails and /var/lib/jails of its own.

A test that asks for the fixture runs, with all its other fixtures, in a forked child that has a mount namespace of
its own. Whatever it mounts or writes there is gone when the child is, also when the test is killed half-way.

``template`` and ``nothing_left`` are for tests with real jails on the machine itself: see ``jails.py``. ``hosts`` are
whole hosts, for tests over ssh.
"""

from __future__ import annotations

import ctypes
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from ansible_collections.hosting.jails.tests.hosts import sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails, runs

STATE_DIRECTORIES = ("/etc/jails", "/run/jails", "/var/lib/jails", "/var/log/jails")

CLONE_NEWNS = 0x00020000
MS_REC = 16384
MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


# Whole fleets, playbooks that build and move what stands on them, and every way to become another user.
THOROUGH = (
    "connection/test_become.py",
    "connection/test_generic.py",
    "engine/test_learn_nginx.py",
    "fleet/test_installed.py",
    "fleet/test_jails_as_hosts.py",
    "fleet/test_moves.py",
    "fleet/test_new_host.py",
    "fleet/test_pins.py",
    "fleet/test_site.py",
    "fleet/test_upgrade.py",
    "playbooks/test_service.py",
    "playbooks/test_upgrade.py",
)


def pytest_sessionstart() -> None:
    if os.geteuid() == 0:
        runs.begin()


def pytest_sessionfinish() -> None:
    if os.geteuid() == 0:
        runs.end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The demo first: it compares the machine with one that has no jails and no templates, such as the others share."""
    items.sort(key=lambda item: "playbooks" not in item.path.parts)
    for item in items:
        if item.path.as_posix().endswith(THOROUGH):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
def private_state() -> None:
    """Ask for it by name, or for a whole file: ``pytestmark = pytest.mark.usefixtures("private_state")``."""


template, nothing_left = jails.fixtures()


@pytest.fixture(scope="session")
def hosts() -> Iterator[list[Host]]:
    """Four hosts on a network of their own, reached by ssh: see tests/hosts/README.md."""
    with sets.running(4, purpose="it") as made:
        yield made


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if "private_state" not in getattr(item, "fixturenames", ()):
        return None
    if any(mark.name == "skip" for mark in item.iter_markers()):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports_of_child(item):
        item.ihook.pytest_runtest_logreport(report=report)
    # What an earlier test has set up here for its module: the child's teardown was the child's.
    item.session._setupstate.teardown_exact(nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _reports_of_child(item: pytest.Item) -> list[pytest.TestReport]:
    # One for all: each child mounts its own there, and one that is killed leaves nothing to be removed.
    scratch = str(jails.BUILD / "private-state")
    os.makedirs(scratch, exist_ok=True)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            _leave_to_parent_what_it_has_set_up(item)
            _enter_private_state(scratch)
            reports = runtestprotocol(item, log=False, nextitem=None)
            data = [item.config.hook.pytest_report_to_serializable(config=item.config, report=r) for r in reports]
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(data, pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _unused, status = os.waitpid(pid, 0)
    if not answer:
        return [_died(item, status)]
    restore = item.config.hook.pytest_report_from_serializable
    return [restore(config=item.config, data=data) for data in pickle.loads(answer)]


def _leave_to_parent_what_it_has_set_up(item: pytest.Item) -> None:
    """The child tears down its own fixtures only: a real template of the session is not its to remove."""
    for finalizers, _unused in item.session._setupstate.stack.values():
        finalizers.clear()


def _died(item: pytest.Item, status: int) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="failed",
        longrepr=f"the child that ran this test ended without a report (wait status {status:#x})",
        when="call",
    )


def _enter_private_state(scratch: str) -> None:
    _call("unshare", CLONE_NEWNS)
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", scratch, "tmpfs", 0, "mode=0755,size=4g")
    for directory in STATE_DIRECTORIES:
        if not os.path.isdir(directory):
            _make_parent_writable(os.path.dirname(directory), scratch)
            os.mkdir(directory, 0o700)
        _mount("tmpfs", directory, "tmpfs", 0, "mode=0700,size=4g")


def _make_parent_writable(parent: str, scratch: str) -> None:
    """An overlay over the parent takes the missing directory: nothing is made on the host itself.

    It could not be removed again either, for removing a directory detaches what other namespaces have mounted there.
    """
    if os.path.ismount(parent) and Path("/proc/self/mounts").read_text().count(f"private-state {parent} overlay "):
        return
    layers = os.path.join(scratch, parent.strip("/").replace("/", "-"))
    os.makedirs(f"{layers}/upper")
    os.makedirs(f"{layers}/work")
    _mount("private-state", parent, "overlay", 0, f"lowerdir={parent},upperdir={layers}/upper,workdir={layers}/work")


def _mount(source: str | None, target: str, fstype: str | None, flags: int, data: str = "") -> None:
    def encode(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    _call("mount", encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags), encode(data))


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function} {arguments}: {os.strerror(number)}")
