# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of docs/services, each as its page has it: see ``machine`` for where, and pages.py for how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.services import ground


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session")
def machine() -> Iterator[int]:
    """A machine that has no jails and reaches nobody, as long as the tests last; a way to the network of the real one.

    The pages' names and addresses are used as they stand, and nobody's jails are in their way.
    """
    with ground.own_machine() as network:
        yield network
