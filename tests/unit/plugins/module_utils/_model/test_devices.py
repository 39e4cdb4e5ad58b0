# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.devices import (
    PROFILES,
    Device,
    danger_of,
    profile_of,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.document import normalise


def canonical(*entries):
    return normalise({"name": "web1", "caps": {"devices": list(entries)}}, jail="web1")["caps"]["devices"]


def test_a_path_is_short_for_an_entry():
    assert canonical("minimal", "/dev/net/tun") == ["minimal", {"path": "/dev/net/tun"}]
    assert canonical({"access": "r", "path": "/dev/fuse", "mode": "0640"}) == [
        {"path": "/dev/fuse", "access": "r", "mode": "0640"}
    ]


def test_a_device_may_have_the_number_nought():
    entry = {"path": "/dev/loop0", "type": "block", "major": 7, "minor": 0, "unsafe": True}
    assert canonical(entry) == [entry]


def test_without_a_profile_it_is_the_minimal_one():
    assert [profile_of(canonical(*entries)) for entries in (["/dev/fuse"], ["/dev/fuse", "none"])] == [
        "minimal",
        "none",
    ]


def test_what_every_jail_has_is_harmless():
    assert [danger_of(device) for devices in PROFILES.values() for device in devices] == [""] * 7


@pytest.mark.parametrize(("major", "minor"), [(10, 200), (10, 229), (10, 232)])
def test_what_jails_are_given_as_a_rule_needs_no_word(major, minor):
    assert not danger_of(Device("/dev/x", major, minor))


@pytest.mark.parametrize(
    "device",
    [
        Device("/dev/vda", 254, 0, block=True),
        Device("/dev/null", 1, 3, block=True),
        Device("/dev/mem", 1, 1),
        Device("/dev/tty1", 4, 1),
        Device("/dev/ttyS0", 4, 64),
        Device("/dev/console", 5, 1),
        Device("/dev/sg3", 21, 3),
        Device("/dev/mapper/control", 10, 236),
    ],
)
def test_what_reaches_beyond_the_jail_has_its_reason(device):
    assert danger_of(device)
