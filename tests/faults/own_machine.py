# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command on a machine of its own, and exit as it does: ``own_machine COMMAND [ARGUMENT...]``."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from ansible_collections.hosting.jails.tests.faults import machine


def main(command: list[str]) -> int:
    """Exit status of the command; 1 where the machine has died with it."""
    try:
        status, _unused = machine.run(partial(subprocess.call, command))
    finally:
        machine.discard_engine()
    return 1 if status is None else abs(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
