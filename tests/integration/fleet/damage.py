# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to jails behind the back of whoever manages them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ansible_collections.hosting.jails.tests.hosts.host import Host

# Run on the host by sh, with the jail's name as $1. Each leaves the jail different from its document, and each is
# another part of the engine's to notice.
_HOW = {
    "its init is killed": 'kill -KILL "$(pid)"',
    "it is stopped": 'jailctl stop "$1"',
    "it is frozen": 'for file in $(control cgroup.freeze); do echo 1 > "$file"; done',
    "an address is taken from it": 'nsenter --target "$(pid)" --net ip address delete "$(address)" dev eth0',
    "its route is removed": 'ip route delete "$(address)"',
    "its cable is cut": 'ip link delete "jl$(identity)"',
    "its limit of processes is lifted": 'for file in $(control pids.max); do echo 1000 > "$file"; done',
    "its limit of memory is lowered": (
        'for file in $(control memory.max) $(control memory.limit_in_bytes); do echo 20M > "$file"; done'
    ),
    "its document is edited": 'sed -i "s/\\"tier\\": \\"front\\"/\\"tier\\": \\"back\\"/" "/etc/jails/$1.json"',
    "its document is deleted": 'rm "/etc/jails/$1.json"',
}
_HELPERS = """set -eu
field() { jailctl list --json | python3 -c 'import json, sys
print([jail for jail in json.load(sys.stdin) if jail["name"] == sys.argv[1]][0][sys.argv[2]])' "$@"; }
pid() { field "$name" pid; }
identity() { field "$name" id; }
address() { jailctl list --json | python3 -c 'import json, sys
print([jail for jail in json.load(sys.stdin) if jail["name"] == sys.argv[1]][0]["addresses"][0])' "$name"; }
control() { ls /sys/fs/cgroup/jails/"$name"/"$1" /sys/fs/cgroup/*/jails/"$name"/"$1" 2> /dev/null || true; }
name=$1
"""
KINDS = tuple(_HOW)


def inflict(host: Host, name: str, kind: str) -> None:
    """Do one of these to a jail."""
    host.run("sh", "-c", f"{_HELPERS}{_HOW[kind]}", "sh", name)


def inflict_at_random(host: Host, names: Sequence[str], *, seed: int) -> dict[str, str]:
    """Do all of these to a host, each to another of the jails; what was done to which."""
    chosen = random.Random(seed).sample(sorted(names), len(KINDS))
    done = dict(zip(chosen, KINDS))
    for name, kind in done.items():
        inflict(host, name, kind)
    return done
