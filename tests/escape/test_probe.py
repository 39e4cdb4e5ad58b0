# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attacks themselves: where nothing holds one back, it has to say so. A refusal proves something only then."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import verification
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.attack import NOBODY
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.bait import Bait
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.catalogue import ATTACKS
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import PROBE, Outside, Prisoner

# On the host as its root, in a mount and host name namespace that is thrown away. Left out is what would do harm when
# it succeeds, and what fails for lack of a device or a part of the kernel on many a machine.
ON_THE_HOST = """
    see_processes_of_others signal_processes_of_others signal_groups_of_others trace_processes_of_others
    read_memory_of_others write_memory_of_others take_descriptors_of_others open_pidfds_of_others
    change_priority_of_others move_processors_of_others limit_processes_of_others grab_who_enters
    find_the_host_in_proc share_namespaces_with_the_host share_users_with_the_host share_the_network_with_the_host
    map_ids_of_the_host read_what_is_roots_alone
    take_unmapped_ids signal_own_processes trace_own_processes read_memory_of_own_processes
    climb_up chroot_and_climb_up change_the_root read_files_of_others find_the_engine open_by_handle
    redirect_the_overlay make_files_immutable write_to_what_is_read_only give_files_away read_files_of_any_user
    write_files_of_any_user change_modes_of_any_users_files give_files_capabilities become_a_user join_a_group
    mount_memory bind_a_directory mount_overlay mount_fresh_proc mount_fresh_sysfs mount_what_belongs_to_the_host
    mount_by_the_new_calls copy_a_tree reconfigure_the_root change_flags_of_own_mounts take_locks_off_the_root
    take_locks_off_volumes
    open_switches_of_the_machine write_the_core_pattern write_network_settings
    make_any_device open_planted_nodes find_devices load_line_disciplines add_entropy
    load_bpf handle_page_faults use_io_uring watch_whole_file_systems switch_swap switch_accounting steer_quotas reboot
    read_addresses_of_the_kernel read_the_kernels_log turn_randomisation_off compare_kernel_objects rename_the_jail
    make_a_user_namespace make_namespaces see_the_hosts_uptime slew_the_clock narrow_our_capabilities
    attach_memory_of_others use_semaphores_of_others use_message_queues_of_others open_posix_queues_of_others use_keys
    read_keys_of_others share_memory_within share_semaphores_within share_message_queues_within
    connect_to_loopback_of_the_host connect_to_abstract_sockets see_sockets_of_others bind_addresses_of_the_host
    bind_freely bind_low_ports send_from_addresses_of_the_host
    raise_our_priority put_our_disk_traffic_first use_up_the_hosts_account
""".split()

# Likewise, and in a network of its own: these change it.
IN_A_NETWORK = """
    open_a_packet_socket open_raw_sockets use_exotic_families mark_packets take_more_memory_for_sockets debug_sockets
    be_transparent change_addresses change_routes change_links change_routing_rules change_neighbours
    change_traffic_control change_the_firewall write_network_settings
""".split()


@contextlib.contextmanager
def _bait(outside: Outside) -> Iterator[dict[str, Any]]:
    """What attacks find on the host, where jails are nothing special."""
    with Bait(own_addresses=[], root=0) as bait, subprocess.Popen(["sleep", "600"]) as entrant:
        yield {
            **bait.facts,
            "entrant": entrant.pid,
            "volumes": [str(outside.volume), "/dev/shm"],
            "read_only_volumes": [str(outside.read_only)],
            "planted_nodes": [str(outside.volume / "zero")],
            "devices": [],
            "maker": 0,
            "masks": [],
            "own_files": [],
            "own_addresses": [],
            "foreign_addresses": ["127.0.0.1"],
        }
        entrant.kill()


@pytest.fixture(scope="module")
def on_the_host(outside: Outside) -> dict[str, Any]:
    with _bait(outside) as facts:
        found = _run(["unshare", "--mount", "--uts", sys.executable, str(PROBE)], ON_THE_HOST, facts)
    (outside.read_only / "file").write_text("read only\n")
    (outside.read_only / "file").chmod(0o666)
    return found


@pytest.fixture(scope="module")
def in_a_network(outside: Outside) -> dict[str, Any]:
    with _bait(outside) as facts:
        return _run(["unshare", "--mount", "--uts", "--net", sys.executable, str(PROBE)], IN_A_NETWORK, facts)


def _run(command: list[str], attacks: list[str], facts: dict[str, Any]) -> dict[str, Any]:
    request = json.dumps({"attacks": attacks, "facts": facts})
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("attack", ON_THE_HOST)
def test_an_attack_says_that_it_succeeds_on_the_host(on_the_host: dict[str, Any], attack: str) -> None:
    assert on_the_host[attack][0] is True, on_the_host[attack]


@pytest.mark.parametrize("attack", IN_A_NETWORK)
def test_an_attack_says_that_it_succeeds_in_a_network(in_a_network: dict[str, Any], attack: str) -> None:
    assert in_a_network[attack][0] is True, in_a_network[attack]


@pytest.mark.parametrize(
    "attack",
    ["use_keys", "use_io_uring", "make_a_user_namespace", "make_namespaces", "turn_randomisation_off", "mount_memory"],
)
def test_an_attack_says_that_it_succeeds_in_a_weak_jail(weak: Prisoner, attack: str) -> None:
    weak.allows(attack)


def test_an_attack_says_that_a_filter_is_missing(weak: Prisoner) -> None:
    """Calls by another architecture succeed where nothing filters them, if this kernel has the architecture at all."""
    if os.uname().machine != "x86_64" or weak.verdict("call_as_i386").allowed is None:
        pytest.skip("this machine has no second architecture")
    weak.allows("call_as_i386")


# What is about the engine's own process, or about a jail's other users.
_OF_THE_ENGINE = {"grab_who_enters", "overwrite_our_own_program", "keep_descriptors_of_the_engine"}


def test_attackers_of_the_engine_are_what_a_command_in_the_jail_is(app: Prisoner) -> None:
    """They enter without an exec: what it would have given or taken has to be the same."""
    names = [one.name for one in ATTACKS.values() if one.user != NOBODY and one.name not in _OF_THE_ENGINE]
    document, policy = verification.policy_for(app.name)
    command = jails.jailctl_command("exec", app.name, "--", "python3", "/probe")
    with verification.bait_for(app.name) as bait:
        as_command = _run(command, names, verification.facts_of(document, policy, init=app.pid, bait=bait))
    differing = {
        name: (as_command[name], app.verdict(name))
        for name in names
        if as_command[name][0] is not app.verdict(name).allowed
    }
    assert differing == {}


def test_no_attack_ends_without_a_verdict(any_jail: Prisoner) -> None:
    assert any_jail.undecided() == []


def test_what_works_is_what_the_policy_allows(any_jail: Prisoner) -> None:
    """As jailctl verify says, of each attack on each of them."""
    assert [finding for finding in any_jail.findings() if finding.verdict not in ("ok", "skipped")] == []


def test_every_attack_is_claimed_by_a_test() -> None:
    """By its name, or by a policy under which it works in one jail and fails in another."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert len(ATTACKS) > 100
    assert set(re.findall(r'\.(?:refuses|allows)\("(\w+)"\)', text)) <= set(ATTACKS)
    never = [one.name for one in ATTACKS.values() if one.rule.text == "never" and one.user != NOBODY]
    assert [name for name in never if not re.search(rf"\b{name}\b", text)] == []
