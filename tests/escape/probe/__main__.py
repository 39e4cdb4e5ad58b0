# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe: runs attacks from where it stands, and prints a verdict on each as JSON.

    echo '{"attacks": ["mount_memory"], "facts": {}}' | python3 /probe

No names means all. The request comes on standard input because an argument would be seen by the attacks that look
for names in command lines. Every attack is harmless where it succeeds: it looks, opens or asks, and changes nothing of
others.
"""

from __future__ import annotations

import json
import os
import sys

import devices
import files
import ipc
import kernel
import limits
import mounts
import network
import processes
from attack import ATTACKS, run

# Each has filled ATTACKS with its own when it was imported.
KINDS = (devices, files, ipc, kernel, limits, mounts, network, processes)


def main() -> None:
    request = json.load(sys.stdin)
    names = request["attacks"] or sorted(ATTACKS)
    # All that the attacks make in passing, for whoever runs us on a host to remove.
    os.makedirs("/tmp/escape", exist_ok=True)
    os.chmod("/tmp/escape", 0o1777)
    print(json.dumps({name: run(ATTACKS[name], request["facts"]) for name in names}))


main()
