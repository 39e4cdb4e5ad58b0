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
    boot. C(jailctl) answers to C(jls), C(jexec), C(vserver), C(vserver-stat), C(chbind),
    C(chcontext) and C(reducecap) as well.
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
  address_pools:
    description:
      - What jails get addresses from that leave the choice to this host, with V(auto), V(auto4) or V(auto6) among the
        O(hosting.jails.jail_ip#module:addresses).
      - Taken whole. Without it the pools stay as they are; an empty list is none.
      - What jails have they keep, also if a pool does not have it any more.
    type: list
    elements: dict
    suboptions:
      addresses:
        description:
          - Network such as V(10.20.0.0/24), or range of addresses with the prefix of its network, such as
            V(192.0.2.100-192.0.2.199/24).
          - The first and the last address of a network are given to nobody, nor is any that the host has or routes
            somewhere.
        type: str
        required: true
      link:
        description:
          - Bridge, parent or interface of the jails that the pool is for. An address that a station on it answers for
            is not given.
          - Without it the pool is for jails that are routed to, and for those on an interface that has no pool of its
            own.
        type: str
      reserved:
        description:
          - Addresses, ranges and networks of it that no jail gets, for example that of a router.
        type: list
        elements: str
seealso:
  - module: hosting.jails.jail
  - module: hosting.jails.jail_ip
"""

EXAMPLES = r"""
---
- name: The engine and jailctl
  hosting.jails.jail_engine:

- name: Pools for jails whose addresses are auto, routed ones and those on br0
  hosting.jails.jail_engine:
    address_pools:
      - addresses: 10.20.0.0/24
      - addresses: fd00:20::/64
      - addresses: 192.0.2.100-192.0.2.199/24
        link: br0
        reserved: [192.0.2.110]

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

from ..module_utils._engine import install
from ..module_utils._engine.module import run

_POOL: dict[str, Any] = {
    "addresses": {"type": "str", "required": True},
    "link": {"type": "str"},
    "reserved": {"type": "list", "elements": "str"},
}


def converge(module: AnsibleModule) -> dict[str, Any]:
    """The module's result."""
    # Here and not above: what a module imports at once, every call of it compiles.
    from ..module_utils._engine import boot, host_configuration

    pools = host_configuration.plan(module.params["address_pools"])
    before = {"engines": install.versions(), "boot": boot.is_enabled(), "address_pools": pools.before}
    if module.params["state"] == "present":
        actions = install.plan() + boot.plan(module.params["autostart"]) + pools.steps
        enabled = boot.would_be_enabled(module.params["autostart"])
        after = {"engines": [install.engine_version()], "boot": enabled, "address_pools": pools.after}
    else:
        from ..module_utils._engine import traces

        remains = traces.plan()
        actions = boot.plan(False) + install.plan_removal() + remains
        after = {"engines": [], "boot": False, "address_pools": [] if remains else pools.before}
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
        "address_pools": {"type": "list", "elements": "dict", "options": _POOL},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), converge)


if __name__ == "__main__":
    main()
