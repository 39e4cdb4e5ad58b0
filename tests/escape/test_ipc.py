# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and what processes share without a path: memory, queues, keys (E27, E28)."""

from __future__ import annotations

import json
import subprocess
import sys

from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import PROBE, Prisoner


def test_a_jail_shares_no_memory_with_others(any_jail: Prisoner) -> None:
    any_jail.refuses("attach_memory_of_others")


def test_a_jail_shares_no_semaphores_with_others(any_jail: Prisoner) -> None:
    any_jail.refuses("use_semaphores_of_others")


def test_a_jail_shares_no_message_queues_with_others(any_jail: Prisoner) -> None:
    any_jail.refuses("use_message_queues_of_others")


def test_root_in_a_jail_cannot_use_the_hosts_quota_of_keys(filtered: Prisoner) -> None:
    filtered.refuses("use_keys")


def test_root_in_a_jail_cannot_read_keys_of_others(any_jail: Prisoner) -> None:
    any_jail.refuses("read_keys_of_others")


def test_root_in_a_jail_cannot_use_a_keyring_that_outlives_it(filtered: Prisoner) -> None:
    filtered.refuses("keep_a_persistent_keyring")


def test_a_command_does_not_get_the_keys_of_who_runs_jailctl(weak: Prisoner) -> None:
    """In a jail without a filter: what is between the two is a keyring of the command's own."""
    inside = jails.jailctl_command("exec", weak.name, "--", "python3", "/probe")
    script = (
        f"import sys, json, subprocess; sys.path.insert(0, {str(PROBE)!r})\n"
        "from engine import Bait\n"
        "with Bait(own_addresses=[], root=0) as bait:\n"
        "    assert bait.facts['strangers'][0]['key'], 'no key could be made'\n"
        "    request = json.dumps({'attacks': ['read_keys_of_others'], 'facts': bait.facts})\n"
        f"    for command in ([sys.executable, {str(PROBE)!r}], {inside!r}):\n"
        "        done = subprocess.run(command, input=request, text=True, check=True, capture_output=True)\n"
        "        print(done.stdout)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    outside, inside = (json.loads(line)["read_keys_of_others"] for line in done.stdout.split("\n") if line)
    assert outside[0] is True, "the caller itself has the key"
    assert inside[0] is False, inside
