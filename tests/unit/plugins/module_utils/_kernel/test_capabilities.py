# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import capabilities
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import CAPABILITIES

# Those that have more than a number.
KNOWN = {name for name in map(capabilities.name_of, range(64)) if not name.isdigit()}


@pytest.mark.parametrize(
    ("name", "number"), [("CHOWN", 0), ("KILL", 5), ("SYS_ADMIN", 21), ("SETFCAP", 31), ("CHECKPOINT_RESTORE", 40)]
)
def test_names_have_the_numbers_of_the_kernel(name: str, number: int) -> None:
    assert capabilities.number_of(name) == number
    assert capabilities.number_of(f"CAP_{name}") == number
    assert capabilities.number_of(f"cap_{name.lower()}") == number
    assert capabilities.name_of(number) == name


def test_every_name_survives_the_way_there_and_back() -> None:
    for name in KNOWN:
        assert capabilities.name_of(capabilities.number_of(name)) == name


def test_capabilities_newer_than_the_release_go_by_number() -> None:
    assert capabilities.name_of(41) == "41"
    assert capabilities.number_of("41") == 41


@pytest.mark.parametrize("name", ["", "CAP_", "CHOWNE", "64", "-1", "1.0", "\u0664", "CAP_CAP_CHOWN"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(KernelError) as caught:
        capabilities.number_of(name)
    assert caught.value.errno == errno.EINVAL


def test_document_and_kernel_know_the_same_names() -> None:
    assert KNOWN == CAPABILITIES
