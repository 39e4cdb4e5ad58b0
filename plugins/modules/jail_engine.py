#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_engine
short_description: Install the jail engine and jailctl on a host
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Puts the engine of this very collection on a host, with the command C(jailctl) and a service that starts jails at
    boot. C(jailctl) answers to C(jls), C(jexec), C(vserver), C(vserver-stat) and C(chbind) as well.
  - The role P(hosting.jails.host#role) does this. A task that starts a jail does it as well, if nobody has done it yet,
    since the supervisor of the jails lives longer than the task.
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
options:
  state:
    description:
      - V(present) is this version of the engine, and no other.
      - V(absent) is none, and nothing else of it either, unless there are jails or templates left.
      - V(absent) is refused while jails run.
    type: str
    choices: [present, absent]
    default: present
  autostart:
    description:
      - Whether jails whose O(hosting.jails.jail#module:autostart) is true are started when the host boots, and all
        jails are stopped in good order before it goes down.
      - This needs systemd as init of the host, which then supervises the supervisor as well; elsewhere, have
        C(jailctl boot) run at boot and C(jailctl shutdown) before a shutdown.
    type: bool
    default: true
seealso:
  - module: hosting.jails.jail
"""

EXAMPLES = r"""
---
- name: The engine and jailctl
  hosting.jails.jail_engine:

- name: Nothing of it
  hosting.jails.jail_engine:
    state: absent
"""

RETURN = r"""
---
version:
  description: Name of the engine's version, a digest of its sources.
  returned: success
  type: str
  sample: 1f0c3a5d7e9b2468
actions:
  description: What was done, or in check mode what would be done.
  returned: success
  type: list
  elements: str
  sample: ["install engine 1f0c3a5d7e9b2468 and /usr/local/sbin/jailctl"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._engine import boot, install, traces
from ..module_utils._engine.module import run


def converge(module: AnsibleModule) -> dict[str, Any]:
    """The module's result."""
    before = {"engines": install.versions(), "boot": boot.is_enabled()}
    if module.params["state"] == "present":
        actions = install.plan() + boot.plan(module.params["autostart"])
        after = {"engines": [install.engine_version()], "boot": boot.would_be_enabled(module.params["autostart"])}
    else:
        actions = boot.plan(False) + install.plan_removal() + traces.plan()
        after = {"engines": [], "boot": False}
    if not module.check_mode:
        for action in actions:
            action.carry_out()
    return {
        "changed": bool(actions),
        "version": install.engine_version(),
        "actions": [action.summary for action in actions],
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    """Entry point of the module."""
    spec = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "autostart": {"type": "bool", "default": True},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), converge)


if __name__ == "__main__":
    main()
