# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A template and a prefix of this suite's own: others may run at the same time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.tests.integration import jails

PREFIX = "inv-"


@pytest.fixture(scope="session")
def template() -> Iterator[str]:
    with jails.nothing_left(PREFIX), jails.template(f"{PREFIX}debian") as name:
        yield name


@pytest.fixture(scope="module")
def nothing_left(template: str) -> Iterator[None]:
    with jails.nothing_left(PREFIX):
        yield
