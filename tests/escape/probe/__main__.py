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

import devices  # noqa: F401
import files  # noqa: F401
import ipc  # noqa: F401
import kernel  # noqa: F401
import limits  # noqa: F401
import mounts  # noqa: F401
import network  # noqa: F401
import processes  # noqa: F401
from attack import ATTACKS, run


def main() -> None:
    request = json.load(sys.stdin)
    names = request["attacks"] or sorted(ATTACKS)
    # All that the attacks make in passing, for whoever runs us on a host to remove.
    os.makedirs("/tmp/escape", exist_ok=True)
    os.chmod("/tmp/escape", 0o1777)
    print(json.dumps({name: run(ATTACKS[name], request["facts"]) for name in names}))


main()
