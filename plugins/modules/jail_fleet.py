#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_fleet
short_description: Run all jails of a host
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Defines, starts, stops and removes many jails in one task, and keeps them as the task describes them.
  - The host is looked at once, everything is planned before the first change, and jails that do not depend on each
    other are changed side by side. Hundreds of jails take one task, not hundreds.
  - 'What excludes each other is refused before anything is changed, all of it at once and each with its place in the
    task: addresses and MACs that two jails have, or that the host has; dependencies that are not there or go in a
    circle; templates that do not exist; more removals than O(purge_limit) allows.'
  - What goes wrong with one jail while the plan is carried out is told in its row of RV(jails). The others are done all
    the same, but for those that depend on it, which are not started. The task fails at its end.
  - 'A jail of a fleet is described as a whole: unlike with M(hosting.jails.jail), an option that the task does not say
    is cleared.'
  - 'Live state counts: a jail that has died is started, a limit that was changed by hand is set again, an address
    that was removed is added. A running jail is never restarted unasked.'
  - A task that was killed is completed by the next one.
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
attributes:
  action:
    description: Has an action plugin, which does a part of the work on the controller.
    support: full
    details:
      - It checks the documents of all hosts of the play before any host is connected to.
  async:
    description: Can be run with the keyword C(async).
    support: full
  idempotent:
    support: partial
    details:
      - A jail whose C(state) is C(restarted) is restarted at each run.
options:
  jails:
    description:
      - The jails of the fleet on this host. Required but for O(mode=apply).
      - 'Each has a V(name), the options of M(hosting.jails.jail) but for its C(apply), and the sections V(rootfs),
        V(ip) and V(caps) with the options of M(hosting.jails.jail_rootfs), M(hosting.jails.jail_ip) and
        M(hosting.jails.jail_caps).'
      - Its V(state) is V(started) if it is not said; V(absent) needs nothing but the name.
      - A name may hold a range, as in V(web[1:50]), V(web[01:50]), V(web[1:50:2]\) or V(web[a:f]), and the entry then
        stands for all its jails. A range of the same length in V(hostname), V(workdir), V(depends), the addresses and
        the MAC of V(ip), the sources of V(mounts), the values of V(environment) and V(labels) is counted through
        together with it. Commands and hooks are left as they are.
      - Each jail gets the label V(fleet) with the value of O(fleet). A jail that has it with another value is refused,
        one without it is taken over.
    type: list
    elements: dict
  defaults:
    description:
      - Options of all jails that do not say them themselves. They are taken whole, and in the sections V(rootfs), V(ip)
        and V(caps) option by option.
    type: dict
    default: {}
  fleet:
    description:
      - Name of the fleet. A host may have several; each task is about one.
    type: str
    default: default
  purge:
    description:
      - What becomes of jails of the fleet that O(jails) does not name.
      - V(none) leaves them alone, V(stopped) stops them, V(absent) removes them with everything that belongs to them.
        Jails of other fleets and of none are never touched.
    type: str
    choices:
      - none
      - stopped
      - absent
    default: none
  purge_limit:
    description:
      - How many jails O(purge) may stop or remove at once, as a number or as a share of the jails that the fleet has on
        the host, of which one is always allowed. A task that would purge more is refused.
    type: str
    default: 25%
  allow_empty:
    description:
      - Whether O(purge) may take an empty list by its word, and purge all jails of the fleet, if O(purge_limit) allows
        that.
    type: bool
    default: false
  parallel:
    description:
      - How many jails are looked at and changed at the same time. The default is the number of processors.
    type: int
  apply:
    description:
      - What may be done to running jails.
      - V(live) never restarts one; what needs a restart is stored, and told in its row.
      - V(restart) restarts a jail when, and only when, something needs that. Those that depend on each other go down
        and come up in the right order.
    type: str
    choices:
      - live
      - restart
    default: live
  mode:
    description:
      - V(converge) does what is to be done.
      - V(plan) writes what is to be done to the file O(plan), together with a fingerprint of what it was planned from,
        and does nothing else. C(changed) says whether there is anything to be done.
      - V(apply) does what such a file says, if the host is still as it was then, and refuses if it is not, naming what
        has drifted.
      - V(validate) reads the documents on the controller, and does not even connect to the host.
    type: str
    choices:
      - converge
      - plan
      - apply
      - validate
    default: converge
  plan:
    description:
      - Path on the host of the plan's file, for O(mode=plan) and O(mode=apply). Only root can read it, as it holds the
        documents.
    type: path
  verbose_results:
    description:
      - Whether each row tells the actions of its jail.
    type: bool
    default: false
notes:
  - The documents of all hosts of the play are checked together on the controller, which needs the Python library
    jsonschema for that. If anything is wrong with one of them, or if jails of two hosts have the same address, the task
    fails on all hosts, and none of them was touched. Each host is read ahead with its own variables, C(loop), C(when)
    and C(delegate_to); with C(serial), what hosts of later batches get from earlier tasks is checked when their turn
    comes.
  - A host that has the engine of this very collection (M(hosting.jails.jail_engine)) carries the task out with that,
    and is sent nothing but the task. Others are sent the engine each time, which takes a second or two more; so it is
    for tasks with C(async) or with a O(plan).
  - With C(--diff) the result holds the documents of the jails that change, before and after.
seealso:
  - module: hosting.jails.jail
  - module: hosting.jails.jail_rootfs
  - module: hosting.jails.jail_ip
  - module: hosting.jails.jail_caps
  - module: hosting.jails.jail_info
"""

EXAMPLES = r"""
---
- name: A template for them
  hosting.jails.jail_rootfs:
    template: debian
    source: {packages: {include: [nginx-light]}}

- name: Fifty web servers and what they depend on
  hosting.jails.jail_fleet:
    fleet: acme
    defaults:
      rootfs: {source: {template: debian}}
      limits: {memory: 256M, pids: 128}
      autostart: true
    jails:
      - name: cache
        ip: {mode: vnet, addresses: [10.20.1.1/32]}
        command: [sleep, inf]
      - name: web[01:50]
        ip: {mode: vnet, addresses: ["10.20.0.[1:50]/32", "fd00:20::[1:50]/128"]}
        command: [nginx, -g, 'daemon off;']
        depends: [cache]

- name: What would change, without a change
  hosting.jails.jail_fleet:
    fleet: acme
    jails: "{{ jails }}"
  check_mode: true
  diff: true

- name: Remove what the list does not name any more, ten jails at the most
  hosting.jails.jail_fleet:
    fleet: acme
    jails: "{{ jails }}"
    purge: absent
    purge_limit: 10

- name: Plan now
  hosting.jails.jail_fleet:
    fleet: acme
    jails: "{{ jails }}"
    apply: restart
    mode: plan
    plan: /root/acme.plan.json

- name: Do exactly that in the maintenance window
  hosting.jails.jail_fleet:
    mode: apply
    plan: /root/acme.plan.json
"""

RETURN = r"""
---
jails:
  description: A row for each jail that the task names, and for those that it had to change besides.
  returned: success, or failure of some jails
  type: list
  elements: dict
  contains:
    name:
      description: Name of the jail.
      type: str
      returned: always
    state:
      description: State of the jail; in check mode the state that it would have.
      type: str
      returned: always
    changed:
      description: Whether anything was done to it.
      type: bool
      returned: always
    failed:
      description: Whether it could not be brought to where it should be.
      type: bool
      returned: always
    msg:
      description: Why it failed.
      type: str
      returned: if it failed
    path:
      description: The place in the task that is to blame.
      type: str
      returned: if it failed
    remedy:
      description: What can be done about it.
      type: str
      returned: if it failed
    restart_required:
      description: Whether something was stored that the running jail gets only by a restart.
      type: bool
      returned: if it does
    reasons:
      description: What needs a restart, and why.
      type: list
      elements: str
      returned: if something does
    actions:
      description: What was done, or in check mode would be done, one line a step and in that order.
      type: list
      elements: str
      returned: with O(verbose_results=true)
  sample:
    - {name: web01, state: running, changed: true, failed: false}
    - name: web02
      state: failed
      changed: true
      failed: true
      msg: "jail web02: command: was started and ended at once: its init exited with status 1"
      path: jails[1].command
      remedy: "read what it said: jailctl logs web02"
summary:
  description: How many jails there are, and what became of them.
  returned: success, or failure of some jails
  type: dict
  sample: {total: 51, changed: 2, failed: 1, restart_required: 0, purged: 0}
errors:
  description: Everything that is wrong with a task of which nothing was done.
  returned: when the task is refused
  type: list
  elements: dict
  sample:
    - host: host1
      jail: web02
      path: jails[1].ip.addresses[0]
      msg: "jail web02: jails[1].ip.addresses[0]: 10.20.0.1/32 is taken by jails[0].ip.addresses[0] (jail web01); ..."
      remedy: give each jail one of its own
plan:
  description: Path of the plan's file.
  returned: with O(mode=plan)
  type: str
  sample: /root/acme.plan.json
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.fleet import manage


def main() -> None:
    """Entry point of the module."""
    run_module("jail_fleet", manage)


if __name__ == "__main__":
    main()
