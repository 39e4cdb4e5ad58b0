#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail
short_description: Run a jail
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Defines, starts, stops, freezes and removes one jail of a Linux host, and keeps it as the task describes it.
  - A jail has a root directory, processes, a host name, mounts and limits of its own, and a root user who is nobody
    outside.
  - An option that a task gives is taken whole; one that it does not give stays as it is stored. An empty value
    clears an option.
  - 'Live state counts: a jail that has died is started, a limit that was changed by hand is set again, an address
    that was removed is added.'
  - A jail whose document is damaged can still be stopped, by a task that says O(state=stopped) and nothing else, and
    removed. Any other task about it fails, and says what helps.
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
  - hosting.jails._attributes.by_engine
attributes:
  idempotent:
    support: partial
    details:
      - O(state=restarted) restarts the jail at each run.
options:
  name:
    description:
      - Name of the jail, a DNS label in lowercase. It is the jail's identity.
    type: str
    required: true
  hostname:
    description:
      - Host name that the jail sees. The default is the jail's name.
    type: str
  command:
    description:
      - Program and arguments that the jail runs; no shell is involved.
      - A jail without a command stays up idle.
    type: list
    elements: str
  init:
    description:
      - What runs as process 1 of the jail.
      - V(auto) is a small init that reaps processes and passes signals on to the command.
      - V(none) is the command itself.
      - V(system) is the jail's own C(/sbin/init), which boots a whole distribution.
      - A jail that never said otherwise has V(auto).
    type: str
    choices:
      - auto
      - none
      - system
  user:
    description:
      - User of the jail that runs the command, with its group if that is another one (V(www-data:adm\)).
      - A jail that never said otherwise has V(root).
    type: str
  workdir:
    description:
      - Directory in the jail that the command starts in.
      - A jail that never said otherwise has V(/).
    type: str
  environment:
    description:
      - Environment variables of the command.
      - Values whose name looks like that of a secret are hidden in results and differences, but not in the document
        on the host, which only its root can read.
    type: dict
  syslog:
    description:
      - Whether what programs of the jail send to C(/dev/log), as C(syslog(3\)) does, goes to the jail's log.
      - Without it nothing listens there, unless the jail runs a daemon for it, as with O(init=system).
      - A jail that never said otherwise has V(false).
    type: bool
  mounts:
    description:
      - Directories and files of the host, and memory, that the jail sees.
    type: list
    elements: dict
    suboptions:
      source:
        description:
          - Absolute path on the host. Required for a V(bind) mount, refused for a V(tmpfs).
        type: str
      target:
        description:
          - Absolute path in the jail, made if it does not exist. Not V(/), and nothing below V(/proc), V(/sys)
            and V(/dev) but V(/dev/shm), which is not there for the profile V(vps).
        type: str
        required: true
      read_only:
        description:
          - Whether nobody in the jail can write there.
          - A jail that never said otherwise has V(false).
        type: bool
      type:
        description:
          - 'What is mounted: a directory or file of the host, or memory.'
          - A jail that never said otherwise has V(bind).
        type: str
        choices:
          - bind
          - tmpfs
      size:
        description:
          - How much a V(tmpfs) can hold, for example V(64M).
        type: str
  limits:
    description:
      - What all processes of the jail together may use.
    type: dict
    suboptions:
      memory:
        description:
          - Memory of all processes together, for example V(256M).
        type: str
      swap:
        description:
          - Swap space on top of O(limits.memory), which it needs. V(0) forbids swapping.
        type: str
      cpus:
        description:
          - Processor time as a number of processors, for example V(0.5).
        type: float
      cpu_weight:
        description:
          - Share of processor time where jails compete for it. A jail without one has V(100).
        type: int
      cpuset:
        description:
          - The processors to run on, for example V(0-3,8).
        type: str
      pids:
        description:
          - Number of processes and threads.
        type: int
      io:
        description:
          - Rates of block devices, one element a device.
        type: list
        elements: dict
        suboptions:
          device:
            description:
              - The block device, for example V(/dev/vda) or V(254:0).
            type: str
            required: true
          read_bps:
            description:
              - Bytes read per second, for example V(10M).
            type: str
          write_bps:
            description:
              - Bytes written per second.
            type: str
          read_iops:
            description:
              - Read operations per second.
            type: int
          write_iops:
            description:
              - Write operations per second.
            type: int
  rlimits:
    description:
      - 'What each process may use, by the names of C(getrlimit(2\)) in lowercase: a number, V(unlimited), or a
        mapping of C(soft) and C(hard).'
    type: dict
  sysctls:
    description:
      - 'Kernel parameters of the jail: V(kernel.shm*), V(kernel.msg*), V(kernel.sem), V(fs.mqueue.*), and V(net.*)
        for a jail that has a network stack of its own.'
    type: dict
  depends:
    description:
      - Jails that start before this one and stop after it.
    type: list
    elements: str
  autostart:
    description:
      - Whether the jail starts with the host.
      - A jail that never said otherwise has V(false).
    type: bool
  restart:
    description:
      - What happens when the jail's init has ended.
    type: dict
    suboptions:
      policy:
        description:
          - 'When a jail whose init has ended is started again: never, if it failed, or in any case.'
          - A jail that never said otherwise has V(never).
        type: str
        choices:
          - never
          - on-failure
          - always
      delay:
        description:
          - Seconds before the first restart; the delay doubles with each further one.
          - A jail that never said otherwise has V(1).
        type: int
      maximum:
        description:
          - Restarts in a row before the jail counts as failed. V(0) sets no end.
          - A jail that never said otherwise has V(0).
        type: int
  stop:
    description:
      - How the jail is stopped.
    type: dict
    suboptions:
      signal:
        description:
          - Signal that asks the jail to stop. The default is V(SIGTERM), and V(SIGRTMIN+3\) with O(init=system).
        type: str
      timeout:
        description:
          - Seconds until all processes of the jail are killed.
          - A jail that never said otherwise has V(10).
        type: int
  hooks:
    description:
      - Commands that run when the jail starts and stops.
    type: list
    elements: dict
    suboptions:
      stage:
        description:
          - When it runs. A V(prestart) that fails keeps the jail from starting.
        type: str
        choices:
          - prestart
          - poststart
          - prestop
          - poststop
        required: true
      where:
        description:
          - Where it runs. In the V(jail) only V(poststart) and V(prestop) can, as it does not live before and after.
          - A jail that never said otherwise has V(host).
        type: str
        choices:
          - host
          - jail
      command:
        description:
          - Program and arguments; no shell is involved. A program on the host needs an absolute path.
        type: list
        elements: str
        required: true
      timeout:
        description:
          - Seconds until it is killed and counts as failed.
          - A jail that never said otherwise has V(30).
        type: int
  labels:
    description:
      - Words of your own to select jails by.
    type: dict
  state:
    description:
      - What the jail is to be.
      - V(present) is defined, running or not as it is; V(started) is running; V(stopped) is defined and not running.
      - V(restarted) stops a running jail and starts it again, at each run.
      - V(frozen) is running with all processes held still; V(started) lets them go on.
      - V(absent) is gone, with its root file system, network, log and document.
    type: str
    choices:
      - present
      - started
      - stopped
      - restarted
      - frozen
      - absent
    default: started
  apply:
    description:
      - What may be done to a running jail.
      - V(live) never restarts it; what needs a restart is stored, and returned in RV(restart_required) and RV(reasons).
      - V(restart) restarts it when, and only when, something needs that.
    type: str
    choices:
      - live
      - restart
    default: live
seealso:
  - module: hosting.jails.jail_rootfs
  - module: hosting.jails.jail_ip
  - module: hosting.jails.jail_caps
  - module: hosting.jails.jail_info
"""

EXAMPLES = r"""
---
- name: A jail that runs nginx, with limits and a directory of the host
  hosting.jails.jail:
    name: web1
    command: [nginx, -g, 'daemon off;']
    limits: {memory: 256M, cpus: 0.5, pids: 128}
    mounts:
      - {source: /srv/web1, target: /srv, read_only: true}
    restart: {policy: on-failure}
    autostart: true
    labels: {customer: acme}

- name: Raise a limit of the running jail; nothing is restarted
  hosting.jails.jail:
    name: web1
    limits: {memory: 512M, cpus: 0.5, pids: 128}

- name: Change its command, and restart it for that
  hosting.jails.jail:
    name: web1
    command: [nginx, -g, 'daemon off; worker_rlimit_nofile 4096;']
    apply: restart

- name: A jail that boots a whole distribution
  hosting.jails.jail:
    name: vps1
    init: system

- name: Remove a jail with everything that belongs to it
  hosting.jails.jail:
    name: web1
    state: absent
"""

RETURN = r"""
---
actions:
  description: What was done, or in check mode what would be done, one line a step and in that order.
  returned: success
  type: list
  elements: str
  sample: ["document.write web1: limits.memory: '256M' -> '512M'", "limits.set web1: limits.memory: '256M' -> '512M'"]
restart_required:
  description: Whether something was stored that the running jail gets only by a restart.
  returned: success
  type: bool
  sample: false
reasons:
  description: What needs a restart, and why.
  returned: success
  type: list
  elements: str
  sample: ["hostname: 'web1' -> 'www1' needs a restart"]
jail:
  description: The jail as it is now. In check mode its name, its state and its document as they would be.
  returned: success
  type: dict
  sample:
    name: web1
    state: running
    id: 1
    pid: 4711
    uptime: 3
    hostname: web1
    addresses: [10.20.0.11/32]
    labels: {customer: acme}
    autostart: true
    restarts: 0
    exit_status: null
    message: ""
    ended: null
    document: {name: web1, command: [nginx], limits: {memory: 256M}}
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.parts import manage_jail


def main() -> None:
    """Entry point of the module."""
    run_module("jail", manage_jail)


if __name__ == "__main__":
    main()
