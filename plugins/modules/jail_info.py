#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_info
short_description: Look at the jails of a host
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Returns a row for each jail of a host, as C(jls), C(vserver-stat) and C(vps) did, from the kernel's live state.
  - It reads only, and takes no lock.
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.reading
  - hosting.jails._attributes.by_engine
options:
  names:
    description:
      - Names of the jails to look at. Without it, all jails that match O(labels).
      - A name that no jail has fails the task.
    type: list
    elements: str
  labels:
    description:
      - Labels that a jail must have, with these values.
    type: dict
    default: {}
  gather:
    description:
      - What to return of each jail.
      - V(status) is always there, as the row itself. Each of the others adds a key of its name.
      - V(templates) is not about a jail, it adds RV(templates) to the result.
    type: list
    elements: str
    choices: [status, processes, resources, network, privileges, disk, document, templates]
    default: [status]
seealso:
  - module: hosting.jails.jail
"""

EXAMPLES = r"""
---
- name: All jails
  hosting.jails.jail_info:
  register: host

- name: A table of them
  ansible.builtin.debug:
    msg: "{{ host.jails | map(attribute='name') | zip(host.jails | map(attribute='state')) }}"

- name: Look at what all processes of all jails may do
  hosting.jails.jail_info:
    gather: [privileges]
  register: powers

- name: Fail if one of them may do more than its document says
  ansible.builtin.assert:
    that: powers.jails | map(attribute='privileges.drift', default=[]) | flatten | length == 0

- name: What one customer's jails use
  hosting.jails.jail_info:
    labels: {customer: acme}
    gather: [resources, disk]
"""

RETURN = r"""
---
jails:
  description: The jails, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the jail.
      type: str
      sample: web1
    state:
      description: One of V(stopped), V(running), V(frozen), V(failed), V(stuck).
      type: str
      sample: running
    id:
      description: Number of the jail on this host. Its user ids and its interface follow from it.
      type: int
      sample: 1
    uid_base:
      description:
        - User id of the host that is the jail's root, and group id that is its group 0.
        - User 33 of the jail is this plus 33.
        - Null for a jail that has none yet, and V(0) for one without a user namespace, whose root is the host's.
      type: int
      sample: 589824
    pid:
      description: Process id of its init as the host sees it, null when it does not run.
      type: int
      sample: 4711
    uptime:
      description: Seconds since its start, null when it does not run.
      type: int
      sample: 86400
    hostname:
      description: Host name that the jail sees.
      type: str
      sample: web1
    addresses:
      description: Addresses of the jail.
      type: list
      elements: str
      sample: [10.20.0.11/32]
    labels:
      description: Labels of the jail.
      type: dict
      sample: {customer: acme}
    autostart:
      description: Whether it is started when the host boots.
      type: bool
      sample: true
    restarts:
      description: How many times in a row its policy has started it again.
      type: int
      sample: 0
    exit_status:
      description: How its init ended, negative for a signal, null when it runs or that is not known.
      type: int
      sample: 1
    message:
      description: Why it failed, or what its document is damaged by.
      type: str
      sample: its init exited with status 1
    ended:
      description:
        - How and when it ended the last time since the host was booted, also when it runs again. Null when it has not.
        - C(how) is V(stopped), by a task, C(jailctl) or a hook that failed; V(powered_off) or V(rebooted), from inside;
          V(exited) or V(killed) by a signal; or V(unseen) while no supervisor watched.
        - C(at) is when, in UTC. C(exit_status) is that of its init, null when it was stopped, and C(message) says it
          all in words.
      type: dict
      sample:
        how: powered_off
        at: "2026-11-22T10:05:00Z"
        exit_status: 0
        message: it was powered off from inside
    profile:
      description: Its privileges, as M(hosting.jails.jail_caps) calls them.
      type: str
      sample: service
    template:
      description: Template that it is a clone of, null for another root file system.
      type: str
      sample: debian
    ip_mode:
      description: Mode of its network, as M(hosting.jails.jail_ip) calls it.
      type: str
      sample: vnet
    init:
      description: What its first process is, as M(hosting.jails.jail) calls it.
      type: str
      sample: auto
    depends:
      description: Names of the jails that it depends on.
      type: list
      elements: str
      sample: [db1]
    limits:
      description: Limits of its document.
      type: dict
      sample: {memory: 256M, pids: 128}
    processes:
      description:
        - Its processes, by the numbers of the host (C(pid), C(uid)) and of the jail (C(jail_pid), C(jail_uid)).
          C(user) is its user's name in the jail. C(memory) is in bytes.
      returned: O(gather) has V(processes)
      type: list
      elements: dict
      sample:
        - pid: 4711
          jail_pid: 1
          uid: 655360
          jail_uid: 0
          user: root
          state: S
          memory: 700416
          cpu_seconds: 0.02
          command: catatonit -- nginx
    resources:
      description:
        - What it uses and what it may use. Bytes, processes, microseconds of processor time since the start.
        - C(memory_working) is C(memory) without the page cache that the kernel could drop at once.
        - C(at) is the time of this look in seconds of a clock that is never set, to make a rate of two looks.
      returned: O(gather) has V(resources)
      type: dict
      sample:
        used: {memory: 9437184, memory_working: 4194304, memory_peak: 12582912, pids: 3, cpu_usec: 81000, oom_kills: 0}
        limits: {memory: 256M, pids: 128}
        at: 86400.25
    network:
      description:
        - Its network as the kernel has it.
        - With C(mode) C(shared), C(interface) is the host's link that carries its addresses, and C(shadowed) are the
          ports that a service of the host has on every address, and so on the jail's.
        - C(traffic) is what it has received and sent since its network was made, null where no link counts, as with
          C(mode) C(shared).
      returned: O(gather) has V(network)
      type: dict
      sample:
        mode: vnet
        addresses: [10.20.0.11/32]
        mtu: 1500
        up: true
        interface: jl1
        traffic: {received_packets: 812, sent_packets: 640, received_bytes: 91230, sent_bytes: 1204881}
    privileges:
      description:
        - What its processes may do. Empty when it does not run; a C(message) where its record is damaged.
        - C(capabilities), C(no_new_privileges) and C(seccomp) are the ceiling that it was started with, which no
          process of it can exceed, and C(report) is what this kernel makes of what was asked for.
        - C(processes) are its processes with the five capability sets of capabilities(7) by name, the mode of their
          C(seccomp), and the inode numbers of their C(namespaces).
        - C(drift) is empty, or has the processes that are not what the document says, with what differs. A process in a
          user namespace of the jail's own making may have every capability there, which is worth nothing in the jail.
        - A process of C(jailctl exec) outside of the jail's pids (C(jail_pid) is null) waits for its command. It has
          the power to enter the jail, and is no drift.
      returned: O(gather) has V(privileges)
      type: dict
      sample:
        capabilities: [CHOWN, KILL]
        no_new_privileges: true
        seccomp: true
        processes:
          - pid: 4711
            jail_pid: 1
            uid: 655360
            jail_uid: 0
            user: root
            command: nginx
            capabilities:
              inheritable: []
              permitted: [CHOWN, KILL, NET_RAW]
              effective: [CHOWN, KILL, NET_RAW]
              bounding: [CHOWN, KILL, NET_RAW]
              ambient: []
            seccomp: filter
            no_new_privileges: true
            namespaces: {cgroup: 4026532323, ipc: 4026532322, mnt: 4026532324, net: 4026532249, pid: 4026532318}
            drift: ["exceeds its jail's ceiling (permitted, effective, bounding) by NET_RAW"]
        drift:
          - pid: 4711
            command: nginx
            drift: ["exceeds its jail's ceiling (permitted, effective, bounding) by NET_RAW"]
        report: [{item: capability CHOWN, verdict: enforced, why: ""}]
    disk:
      description:
        - Its root file system. C(used) is what the jail itself has written, in bytes.
        - A C(message) where what is recorded of it is damaged.
      returned: O(gather) has V(disk)
      type: dict
      sample: {source: {template: debian}, template: debian, stale: false, used: 65536, previous: null}
    document:
      description: Its document, with values that look like secrets hidden.
      returned: O(gather) has V(document)
      type: dict
      sample: {name: web1, command: [nginx]}
templates:
  description:
    - The templates of the host, sorted by name, as M(hosting.jails.jail_rootfs) returns them but for C(packages).
  returned: O(gather) has V(templates)
  type: list
  elements: dict
  sample:
    - name: debian
      state: present
      source: {packages: {include: [nginx-light]}}
      generation: 20261121T093000-123456
      generations: [20261121T093000-123456]
      created: "2026-11-21T09:30:00Z"
      directory: /var/lib/jails/templates/debian/20261121T093000-123456/rootfs
      jails: [web1]
      suite: bookworm
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.info import look


def main() -> None:
    """Entry point of the module."""
    run_module("jail_info", look)


if __name__ == "__main__":
    main()
