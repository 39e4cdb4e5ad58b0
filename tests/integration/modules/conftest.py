# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.modules import fleets


@pytest.fixture(scope="module")
def fleet_template() -> Iterator[None]:
    """A Debian for fleets to clone; afterwards the machine is as it was."""
    with jails.nothing_left(fleets.PREFIX), jails.template(fleets.TEMPLATE):
        yield


@pytest.fixture
def no_jails(fleet_template: None) -> Iterator[None]:
    """A test of fleets begins and ends without any of their jails."""
    fleets.remove_all()
    yield
    fleets.remove_all()
