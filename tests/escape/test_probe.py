# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe itself: where nothing holds an attack back, it has to say so. A refusal proves something only then."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .prisoners import PROBE, Outside, Prisoner

# On the host as its root, in a mount and host name namespace that is thrown away. Left out is what would do harm when
# it succeeds, and what fails for lack of a device or a part of the kernel on many a machine.
ON_THE_HOST = """
    see_processes_of_others signal_processes_of_others signal_groups_of_others trace_processes_of_others
    read_memory_of_others take_descriptors_of_others change_priority_of_others find_the_host_in_proc
    share_namespaces_with_the_host map_ids_of_the_host take_unmapped_ids climb_up chroot_and_climb_up
    read_files_of_others open_by_handle redirect_the_overlay make_files_immutable write_to_what_is_read_only
    mount_memory bind_a_directory mount_fresh_proc mount_fresh_sysfs mount_what_belongs_to_the_host
    use_the_new_mount_calls open_switches_of_the_machine write_the_core_pattern take_locks_off_volumes
    make_any_device open_planted_nodes load_line_disciplines
    load_bpf handle_page_faults use_io_uring watch_whole_file_systems steer_storage steer_quotas reboot_the_machine
    read_the_kernels_memory_map read_the_kernels_log turn_randomisation_off compare_kernel_objects rename_the_machine
    make_a_user_namespace make_namespaces stop_the_clock_of_the_host
    attach_memory_of_others use_semaphores_of_others use_message_queues_of_others use_keys
    connect_to_loopback_of_the_host connect_to_abstract_sockets see_sockets_of_others bind_addresses_of_others
    take_more_than_a_share
""".split()

# Likewise, and in a network of its own: these change it.
IN_A_NETWORK = """
    open_a_packet_socket open_raw_sockets use_exotic_families set_privileged_options
    change_addresses change_routes change_links write_network_settings
""".split()


@pytest.fixture(scope="module")
def on_the_host(outside: Outside, neighbour: Prisoner) -> dict[str, Any]:
    del neighbour  # a stranger to be found as well
    facts = {
        **outside.facts,
        "strangers": outside.facts["strangers"][:1],
        "volume": str(outside.volume),
        "read_only_volume": str(outside.read_only),
        "planted_nodes": [str(outside.volume / "zero")],
        "foreign_addresses": ["127.0.0.1"],
    }
    found = _run(["unshare", "--mount", "--uts"], ON_THE_HOST, facts)
    (outside.read_only / "file").write_text("read only\n")
    (outside.read_only / "file").chmod(0o666)
    return found


@pytest.fixture(scope="module")
def in_a_network(outside: Outside) -> dict[str, Any]:
    return _run(["unshare", "--mount", "--uts", "--net"], IN_A_NETWORK, outside.facts)


def _run(wrapper: list[str], attacks: list[str], facts: dict[str, Any]) -> dict[str, Any]:
    request = json.dumps({"attacks": attacks, "facts": facts})
    command = [*wrapper, sys.executable, str(PROBE)]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    finally:
        shutil.rmtree("/tmp/escape", ignore_errors=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("attack", ON_THE_HOST)
def test_the_probe_says_what_succeeds_on_the_host(on_the_host: dict[str, Any], attack: str) -> None:
    assert on_the_host[attack]["allowed"] is True, on_the_host[attack]


@pytest.mark.parametrize("attack", IN_A_NETWORK)
def test_the_probe_says_what_succeeds_in_a_network(in_a_network: dict[str, Any], attack: str) -> None:
    assert in_a_network[attack]["allowed"] is True, in_a_network[attack]


@pytest.mark.parametrize(
    "attack",
    ["use_keys", "use_io_uring", "make_a_user_namespace", "make_namespaces", "turn_randomisation_off", "mount_memory"],
)
def test_the_probe_says_what_succeeds_in_a_weak_jail(weak: Prisoner, attack: str) -> None:
    weak.allows(attack)


def test_the_probe_says_that_a_filter_is_missing(weak: Prisoner) -> None:
    """Calls by another architecture succeed where nothing filters them, if this kernel has the architecture at all."""
    if "i386" not in json.dumps(weak.verdict("call_as_another_architecture")):
        pytest.skip("this machine has no second architecture")
    weak.allows("call_as_another_architecture")


def test_no_attack_ends_without_a_verdict(any_jail: Prisoner) -> None:
    any_jail.verdict("climb_up")
    assert any_jail.undecided() == []


def test_every_attack_is_claimed_by_a_test() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    source = "".join(path.read_text() for path in PROBE.glob("*.py"))
    attacks = re.findall(r"^@attack\(.*\)\ndef (\w+)", source, re.MULTILINE)
    assert len(attacks) > 80
    assert [attack for attack in attacks if f'"{attack}"' not in text] == []
