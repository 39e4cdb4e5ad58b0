# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.permissions import (
    PERMISSIONS,
    denial_of,
    parse_allow,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.place import Place
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import CAPABILITIES

PLACE = Place("web1").at("caps").at("allow")


@pytest.mark.parametrize(
    "said",
    [
        ["raw_sockets", "mount.notmpfs"],
        ["allow.raw_sockets", "allow.mount.notmpfs"],
        {"raw_sockets": True, "mount.tmpfs": False},
        {"allow.mount.notmpfs": True, "ALLOW.noraw_sockets": False},
    ],
)
def test_permissions_are_said_as_in_jail_conf_or_as_a_mapping(said: Any) -> None:
    assert parse_allow(said, PLACE) == {"mount.tmpfs": False, "raw_sockets": True}


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_every_permission_can_be_given_and_denied(name: str) -> None:
    assert parse_allow([name], PLACE) == {name: True}
    assert parse_allow([denial_of(name)], PLACE) == {name: False}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["raw_socket"], "caps.allow[0]: 'raw_socket' is not a permission; did you mean raw_sockets?"),
        (["mlock", "nomlock"], "caps.allow[1]: mlock is said twice; say it once"),
        ({"mlock": "yes"}, "caps.allow.mlock: 'yes' is neither true nor false; write true or false, without quotes"),
        ("mlock", "caps.allow: 'mlock' is neither a list nor a mapping; write a list of names"),
        ([7], "caps.allow[0]: 7 is not a permission"),
    ],
)
def test_what_is_no_permission_is_refused_by_its_place(said: Any, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_allow(said, PLACE)
    assert str(caught.value).startswith(f"jail web1: {message}")


def test_permissions_take_capabilities_that_there_are() -> None:
    for permission in PERMISSIONS.values():
        assert permission.capabilities <= CAPABILITIES
        assert not (permission.unavailable and permission.capabilities)
