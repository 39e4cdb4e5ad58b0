# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each kind of jail is expected to be able to do, by its document alone."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.findings import Host, examine
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.catalogue import ATTACKS, KINDS
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.expectations import policy_of
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import PROFILES, privileges_of


def expectations(*, has_filters=True, **given):
    """Outcome that is expected of each attack on a jail with this document."""
    document = effective(normalise(given, jail="web1"))
    network = document["ip"]["mode"]
    report = examine(privileges_of(document), Host(network=network, has_filters=has_filters))
    policy = policy_of(document, report)
    return {name: attack.rule.decide(policy).outcome for name, attack in ATTACKS.items()}


VNET = {"mode": "vnet", "addresses": ["10.0.0.1/32"]}
SHARED = {"mode": "shared", "interface": "eth0", "addresses": ["10.0.0.1/32"]}


def test_there_are_more_than_a_hundred_attacks_of_every_kind():
    assert len(ATTACKS) > 100
    assert {attack.kind for attack in ATTACKS.values()} == set(KINDS)
    assert [name for name, attack in ATTACKS.items() if not attack.summary.endswith((".", "?"))] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_never_to_work_is_denied_in_every_profile(profile):
    expected = expectations(caps={"profile": profile}, ip=VNET)
    never = [name for name, attack in ATTACKS.items() if attack.rule.text == "never"]
    assert len(never) > 80
    assert {expected[name] for name in never} == {"denied"}


@pytest.mark.parametrize(
    ("attack", "works_in"),
    [
        ("give_files_away", {"service", "freebsd", "secure", "vps"}),
        ("change_the_root", {"freebsd", "secure", "vps"}),
        ("narrow_our_capabilities", {"service", "freebsd", "vps"}),
        ("rename_the_jail", {"freebsd", "vps"}),
        ("share_memory_within", {"none", "service", "secure", "vps"}),
        ("turn_randomisation_off", {"freebsd", "secure", "vps"}),
        ("mount_memory", {"vps"}),
        ("make_a_user_namespace", {"vps"}),
        ("open_raw_sockets", {"vps"}),
        ("change_routes", {"vps"}),
        ("write_network_settings", {"vps"}),
        ("reboot", {"vps"}),
        ("signal_own_processes", set(PROFILES)),
        ("stack_a_filter", set(PROFILES)),
    ],
)
def test_what_works_in_which_profile(attack, works_in):
    expected = {profile: expectations(caps={"profile": profile}, ip=VNET)[attack] for profile in PROFILES}
    assert expected == {profile: "works" if profile in works_in else "denied" for profile in PROFILES}


@pytest.mark.parametrize(
    ("caps", "attack", "outcome"),
    [
        ({"keep": ["SYS_CHROOT"]}, "change_the_root", "works"),
        ({"drop": ["CHOWN"]}, "give_files_away", "denied"),
        ({"allow": ["mount.tmpfs"]}, "mount_memory", "works"),
        ({"allow": ["mount.tmpfs"]}, "make_namespaces", "denied"),
        ({"allow": ["mount.tmpfs"]}, "mount_fresh_proc", "denied"),
        ({"allow": ["raw_sockets"]}, "open_raw_sockets", "works"),
        ({"allow": ["set_hostname"]}, "rename_the_jail", "works"),
        ({"allow": ["set_hostname"]}, "mount_memory", "denied"),
        ({"allow": ["nosysvshm"]}, "share_memory_within", "denied"),
        ({"allow": ["noreserved_ports"]}, "bind_low_ports", "denied"),
        ({"allow": ["nounprivileged_proc_debug"]}, "trace_own_processes", "denied"),
        ({"allow": ["nosuser"]}, "give_files_away", "denied"),
        ({"allow": ["socket_af"]}, "use_exotic_families", "untried"),
        ({"securebits": ["noroot"]}, "give_files_away", "denied"),
        ({"seccomp": "strict"}, "trace_own_processes", "denied"),
        ({"seccomp": "strict"}, "use_io_uring", "denied"),
        ({"seccomp": "none"}, "use_io_uring", "either"),
        ({"seccomp": "none"}, "use_exotic_families", "untried"),
        ({"seccomp": "none"}, "load_modules", "denied"),
        ({"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}, "stack_a_filter", "either"),
    ],
)
def test_what_a_word_in_the_document_changes(caps, attack, outcome):
    assert expectations(caps=caps, ip=VNET)[attack] == outcome


@pytest.mark.parametrize(
    ("attack", "outcomes"),
    [
        ("share_the_network_with_the_host", {"none": "denied", "vnet": "denied", "shared": "works", "host": "works"}),
        ("connect_to_loopback_of_the_host", {"none": "denied", "vnet": "denied", "shared": "denied", "host": "works"}),
        ("bind_addresses_of_nobody", dict.fromkeys(("none", "vnet", "shared", "host"), "denied")),
        ("bind_freely", {"none": "either", "vnet": "either", "shared": "denied", "host": "either"}),
        ("change_routes", {"none": "works", "vnet": "works", "shared": "denied", "host": "denied"}),
        ("bind_our_own_addresses", {"none": "untried", "vnet": "works", "shared": "works", "host": "works"}),
    ],
)
def test_what_the_mode_of_the_network_changes(attack, outcomes):
    networks = {"none": {"mode": "none"}, "vnet": VNET, "shared": SHARED, "host": {"mode": "host"}}
    found = {mode: expectations(caps={"profile": "vps"}, ip=network)[attack] for mode, network in networks.items()}
    assert found == outcomes


def test_a_kernel_without_filters_is_not_expected_to_filter():
    assert expectations(has_filters=False, caps={}, ip=VNET)["use_io_uring"] == "either"


def test_a_limit_that_the_document_gives_may_be_used():
    assert expectations(rlimits={"nice": 30})["raise_our_priority"] == "either"
    assert expectations(rlimits={"nofile": 64})["raise_our_priority"] == "denied"
