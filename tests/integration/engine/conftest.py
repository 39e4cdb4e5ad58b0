# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine import shared_host


@pytest.fixture
def shared(private_state: None) -> Iterator[None]:
    """A host that belongs to one test, with a link for jails on its stack and a supervisor of its own."""
    shared_host.enter()
    with jails.own_supervisor():
        yield
