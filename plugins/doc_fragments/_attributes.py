# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not use it in other collections.
from __future__ import annotations


class ModuleDocFragment:
    # What holds for every module of the collection.
    DOCUMENTATION = r"""
options: {}
requirements:
  - Linux 5.12 or newer with a mounted cgroup version 2 tree
  - Python 3.9 or newer
  - root
attributes:
  platform:
    description: Target OS that can be operated against.
    support: full
    platforms: linux
  action_group:
    description: Use C(group/hosting.jails.jails) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - hosting.jails.jails
  safe_file_operations:
    description: Uses Ansible's strict file operation functions to ensure proper permissions and avoid data corruption.
    support: none
    details:
      - The engine writes its own files, each as a whole (temporary file, fsync, rename).
"""

    # A module that changes something.
    ACTING = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - Check mode makes the same plan as a real run, and carries none of it out.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    # A module that only reads.
    READING = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - It changes nothing.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details:
      - It changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
"""

    # A module whose tasks an action plugin gives to the engine of their host.
    BY_ENGINE = r"""
options: {}
attributes:
  action:
    description: Has an action plugin, which does a part of the work on the controller.
    support: full
    details:
      - A host that has the engine of this very collection (M(hosting.jails.jail_engine)) carries the task out with
        that, and is sent nothing but the task. Others are sent the engine each time, which takes a second or two more;
        so it is for tasks with C(async).
  async:
    description: Can be run with the keyword C(async).
    support: full
"""
