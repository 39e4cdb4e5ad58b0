# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stranger: has a thing of every shareable kind, says what as JSON, and stays until its input ends.

Runs in a jail, for attacks elsewhere to look for what it has; it is the bait that the engine lays on a host.
"""

from __future__ import annotations

import json
import sys

from engine import Bait

if __name__ == "__main__":
    with Bait(own_addresses=[], root=0) as bait:
        print(json.dumps(bait.facts["strangers"][0]), flush=True)
        sys.stdin.read()
