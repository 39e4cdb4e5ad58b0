# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every test of this directory runs on a machine of its own: see ``machine``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.runner import runtestprotocol
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.tests.faults import machine, roots
from ansible_collections.hosting.jails.tests.faults.tasks import run, supervised, template
from ansible_collections.hosting.jails.tests.faults.world import world


@pytest.fixture
def before() -> Iterator[list[str]]:
    """The machine with a template and a supervisor, and without any jail."""
    run(template)
    with supervised():
        yield world()


@pytest.fixture
def unwatched() -> list[str]:
    """The machine with a template and without any jail or supervisor; there has been one."""
    run(template)
    with supervised():
        pass
    return world()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if any(mark.name == "skip" for mark in item.iter_markers()):
        return None
    roots.archive()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_sessionfinish() -> None:
    machine.discard_engine()


def _reports(item: pytest.Item) -> list[pytest.TestReport]:
    def on_the_machine() -> list[object]:
        reports = runtestprotocol(item, log=False, nextitem=None)
        return [item.config.hook.pytest_report_to_serializable(config=item.config, report=each) for each in reports]

    try:
        data, status = machine.run(on_the_machine)
    except KernelError as error:
        return [_failed(item, f"the machine of this test cannot be taken down: {error}")]
    if data is None:
        return [_failed(item, f"the machine of this test ended without a report (wait status {status:#x})")]
    restore = item.config.hook.pytest_report_from_serializable
    return [restore(config=item.config, data=each) for each in data]


def _failed(item: pytest.Item, why: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="failed",
        longrepr=why,
        when="call",
    )
