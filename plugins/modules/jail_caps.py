#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_caps
short_description: Say what the root of a jail may do
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Keeps the privileges of a jail as the task describes them. They are a ceiling, for the jail's root and everybody
    else in it, for its own processes and those that enter it later.
  - Capabilities are a keep list, so that one that a new kernel brings is not there. They count inside the jail's user
    namespace; what the kernel grants to the host's root only cannot be kept.
  - The filter of system calls follows from the capabilities. What a capability would allow is refused as long as the
    capability is not kept.
  - An option that a task gives is taken whole; one that it does not give stays as it is stored. An empty value
    clears an option.
  - A running process cannot be given a capability or another filter, so every change but that of O(devices) needs a
    restart of the jail. O(strict) and O(user_namespace) are about its definition and change nothing of a running jail.
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
  - hosting.jails._attributes.by_engine
options:
  jail:
    description:
      - Name of the jail.
    type: str
    required: true
  profile:
    description:
      - The capabilities that the jail's root has inside its user namespace.
      - V(none) is a root without any power.
      - V(service) is what servers need that open low ports and change to users of their own. These are C(CHOWN),
        C(DAC_OVERRIDE), C(FOWNER), C(FSETID), C(KILL), C(NET_BIND_SERVICE), C(SETFCAP), C(SETGID), C(SETPCAP) and
        C(SETUID).
      - V(freebsd) is what FreeBSD leaves a jailed superuser. It adds C(DAC_READ_SEARCH), C(SYS_CHROOT), C(SYS_PTRACE)
        and C(SYS_RESOURCE) to those of V(service), lets the host name be changed (not with O(seccomp=none)
        or a filter of one's own), and goes without System V IPC.
      - V(secure) is the list of C(reducecap --secure) of Linux-VServer, as far as it is worth something in a jail. It
        is V(service) without C(SETPCAP), and with C(DAC_READ_SEARCH), C(SYS_CHROOT) and C(SYS_PTRACE).
      - V(vps) is everything that is safe inside a user namespace, for jails that boot a whole distribution. Such a
        jail can mount, and it owns its network.
      - The default is V(service), and V(vps) for a jail with C(init=system), which takes no other.
    type: str
    choices:
      - none
      - service
      - freebsd
      - secure
      - vps
  keep:
    description:
      - Capabilities to have besides those of the profile, with or without C(CAP_).
      - C(NET_ADMIN) and C(NET_RAW) are worth something only in a network of the jail's own, so not in the modes C(host)
        and C(shared) of M(hosting.jails.jail_ip). RV(report) says so.
    type: list
    elements: str
  drop:
    description:
      - Capabilities of the profile to be without, with or without C(CAP_).
    type: list
    elements: str
  allow:
    description:
      - 'Permissions by the names of FreeBSD''s C(jail(8\)), as a list of what is allowed (V([raw_sockets, mlock]), and
        V([nosysvipc]) for what is not) or as a mapping (V({raw_sockets: true, sysvipc: false})). The prefix C(allow.)
        may be there.'
      - Each brings, or takes away, the capabilities, system calls and limits that it consists of. A capability that
        comes with a permission opens no more than that permission.
      - 'They are C(adjtime), C(chflags), C(extattr), C(mlock), C(mount), C(mount.devfs), C(mount.fdescfs),
        C(mount.fusefs), C(mount.linprocfs), C(mount.nullfs), C(mount.overlay), C(mount.procfs), C(mount.tmpfs),
        C(mount.zfs), C(nested_jails), C(nfsd), C(quotas), C(raw_sockets), C(read_msgbuf), C(reserved_ports),
        C(routing), C(set_hostname), C(setaudit), C(settime), C(socket_af), C(suser), C(sysvipc), C(sysvmsg),
        C(sysvsem), C(sysvshm), C(unprivileged_parent_tampering), C(unprivileged_proc_debug), C(vmm) and C(vmm_ppt).'
      - Not all of them exist on Linux. RV(report) says what each is worth, and O(strict) refuses what is not there.
    type: raw
  no_new_privileges:
    description:
      - Whether programs with set-user-id bits or file capabilities get no more power than their caller.
      - The default is V(true), and V(false) with O(profile=vps).
    type: bool
  seccomp:
    description:
      - Filter of system calls. V(none) is none at all.
      - The V(default) one refuses, among others, new namespaces, mounts, modules, keyrings, C(bpf), C(io_uring),
        C(perf_event_open), C(userfaultfd), C(open_by_handle_at), typing into terminals, sockets of families other than
        UNIX, IPv4, IPv6 and netlink, and every system call that is newer than the collection. It opens what a kept
        capability is for. 32-bit programs do not run under it.
      - V(strict) is the same without what ordinary services have no use for, such as C(ptrace), C(process_vm_readv),
        C(sched_setscheduler), C(vmsplice), C(name_to_handle_at) and C(sync).
      - 'A profile as Docker, Podman and OCI runtimes take it is read as it is. Give it by its absolute path on the jail
        host, where it is read at every start, or as a mapping that is kept in the document, as in
        C(seccomp: "{{ lookup(''file'', ''profile.json'') | from_json }}").'
      - A jail that never said otherwise has V(default).
    type: raw
  securebits:
    description:
      - Flags of C(capabilities(7\)) to set and lock.
      - V(noroot) makes root a user like any other for the kernel. V(no_setuid_fixup) leaves capabilities alone when a
        process changes its user. V(no_cap_ambient_raise) keeps ambient capabilities empty.
    type: list
    elements: str
    choices:
      - noroot
      - no_setuid_fixup
      - no_cap_ambient_raise
  strict:
    description:
      - Refuse to define or to start the jail where this kernel would give or withhold less than what is asked for here.
      - What comes with a profile is not asked for by its name, so it may be worth less.
    type: bool
  devices:
    description:
      - What the jail has in C(/dev), and may open through whatever node. Everything else is refused, by a program on
        the jail's control group or by the C(devices) controller of version 1; RV(report) says by which.
      - A profile by its name. V(minimal), which holds when no profile is named, is C(null), C(zero), C(full),
        C(random), C(urandom), C(tty) and terminals of the jail's own. V(none) is C(/dev/null) alone, without which
        nothing starts.
      - A device of the host by its path, as in V(/dev/fuse).
      - 'A device as a mapping: C(path) in the jail; C(source), a node of the host with another path, or instead of it
        C(type) (V(char) or V(block)), C(major) and C(minor); C(access), which is V(r), V(w) or by default V(rw);
        C(mode) of the node in quotes (V("0660")), which is by default that of the host''s node; and C(unsafe).'
      - Block devices, memory, the kernel's log, consoles and their like take C(unsafe=true), because the jail could
        reach the host or its neighbours through them.
      - A change is made on the running jail. What a process has open stays open to it.
    type: list
    elements: raw
  masked_paths:
    description:
      - Files and directories that everybody in the jail finds empty, its root included, besides those of the kernel
        that every jail does. One that is not there is left out.
      - 'With the profile V(vps) they are not below C(/proc), C(/sys) and C(/dev), which such a jail mounts itself. In
        no profile they are what each start writes: C(/etc/hostname), C(/etc/hosts) and C(/etc/resolv.conf).'
    type: list
    elements: str
  read_only_paths:
    description:
      - Files and directories that nobody in the jail can change, with all that is mounted below. They are limited as
        those of O(masked_paths) are.
    type: list
    elements: str
  user_namespace:
    description:
      - The ids of the host that the jail's users have. V(true) takes 65536 that no other jail and no user of the host
        has.
      - 'A mapping fixes them, as in V({base: 655360000, size: 131072}). C(base) is the host''s id of the jail''s root,
        C(size) how many ids there are, 65536 by default; both are multiples of 65536. Ids of another jail, of a user in
        C(/etc/passwd), and of C(/etc/subuid) are refused. Choose high ones, as the host itself gives out ids from
        524288 on. A jail that makes containers of its own has use for more than 65536.'
      - The ids are chosen when the jail is defined, because its files belong to them. To say V(true) later, or nothing,
        leaves them as they are.
      - V(false) is no user namespace at all, as jails were before there were any, for volumes whose files belong to
        users of the host and for hosts that have switched user namespaces off. Root in such a jail is the root of the
        host, and its users are the host's of the same number. A task that defines or changes one warns of that,
        RV(report) says V(partial), and O(strict) refuses it.
      - 'What holds such a root are capabilities, of which it keeps no other than C(CHOWN), C(DAC_OVERRIDE), C(FOWNER),
        C(FSETID), C(KILL), C(SETGID), C(SETUID), C(SETPCAP), C(NET_BIND_SERVICE), C(SETFCAP), C(SYS_CHROOT),
        C(IPC_LOCK) and C(IPC_OWNER), the filter of system calls (O(seccomp=default) or O(seccomp=strict)), devices,
        mounts and the other namespaces. What a profile would bring besides is withheld; to ask for it by name, or for
        O(profile=vps), the network mode C(host), and C(admin), is an error. So is a writable volume that users of the
        host reach, and a host that lacks something of what would hold him.'
      - Give no such jail to anybody who has a login on the host. Both together are root there, as the one hands the
        other what is open.
      - A jail that never said otherwise has V(true).
    type: raw
  verify:
    description:
      - Attack the running jail from inside, as C(jailctl verify) does, and return in RV(verify) what became of each
        attack. No harm is done where one succeeds.
      - The task fails when an attack works that the jail's document forbids. That is also so for a jail that still runs
        with other privileges, because it waits for a restart. A jail that does not run cannot be attacked, which is a
        failure as well. What does not work although the document allows it is a warning, and so is an attack that was
        killed.
      - In check mode nothing is tried.
    type: bool
    default: false
  state:
    description:
      - V(present) is the only state. Privileges go with the jail.
    type: str
    choices:
      - present
    default: present
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
  - module: hosting.jails.jail
  - module: hosting.jails.jail_info
  - name: capabilities(7)
    description: What each capability stands for.
    link: https://man7.org/linux/man-pages/man7/capabilities.7.html
"""

EXAMPLES = r"""
---
- name: A server that needs no privileges at all
  hosting.jails.jail_caps:
    jail: web1
    profile: none

- name: A service without the capability to change owners, but with chroot
  hosting.jails.jail_caps:
    jail: sftp1
    keep: [SYS_CHROOT]
    drop: [CHOWN]

- name: A whole distribution that is not to trace processes, restarted if that is new to it
  hosting.jails.jail_caps:
    jail: vps1
    profile: vps
    drop: [SYS_PTRACE]
    apply: restart

- name: A distribution that may mount FUSE file systems and open tunnels
  hosting.jails.jail_caps:
    jail: vps1
    devices: [/dev/fuse, /dev/net/tun]

- name: A database with a volume of its own, always by the same name
  hosting.jails.jail_caps:
    jail: db1
    devices:
      - { path: /dev/data, source: /dev/vg0/db1, mode: "0600", unsafe: true }

- name: What FreeBSD would allow, and ping besides
  hosting.jails.jail_caps:
    jail: web1
    profile: freebsd
    allow: [raw_sockets]

- name: A service whose root is nobody special, and nothing that this kernel cannot keep
  hosting.jails.jail_caps:
    jail: web1
    allow: { suser: false, sysvipc: false }
    strict: true

- name: Proof that the jail keeps to its profile
  hosting.jails.jail_caps:
    jail: web1
    verify: true
  register: privileges

- name: A web server that finds no keys, and whose programs nobody in the jail replaces
  hosting.jails.jail_caps:
    jail: web1
    masked_paths: [/srv/www/.git, /proc/cpuinfo]
    read_only_paths: [/usr, /etc/nginx]

- name: A new jail with ids that a file server knows, and more of them for containers inside
  hosting.jails.jail_caps:
    jail: vps2
    profile: vps
    user_namespace: { base: 655360000, size: 131072 }

- name: The users of the host, for a volume that has their files
  hosting.jails.jail_caps:
    jail: files1
    profile: service
    user_namespace: false

- name: Back to the profile as it is
  hosting.jails.jail_caps:
    jail: sftp1
    keep: []
    drop: []
    allow: []
"""

RETURN = r"""
---
actions:
  description: What was done, or in check mode what would be done, one line a step and in that order.
  returned: success
  type: list
  elements: str
  sample: ["document.write web1: caps.profile: 'service' -> 'none'"]
restart_required:
  description: Whether something was stored that the running jail gets only by a restart.
  returned: success
  type: bool
  sample: true
reasons:
  description: What needs a restart, and why.
  returned: success
  type: list
  elements: str
  sample: ["caps.profile: 'service' -> 'none' needs a restart"]
report:
  description:
    - What the kernel of the host makes of the privileges that the jail's document asks for.
    - What is V(unavailable) is a warning as well.
  returned: success
  type: list
  elements: dict
  contains:
    item:
      description: What was asked for.
      type: str
      sample: capability NET_ADMIN
    verdict:
      description: One of V(enforced), V(partial), V(unavailable).
      type: str
      sample: unavailable
    why:
      description: What is missing, or what to know about it.
      type: str
      sample: the jail's network belongs to the host's user namespace; the profile vps gives the jail one of its own
verify:
  description: What became of each attack, also when the task fails because of it.
  returned: when O(verify=true), and not in check mode
  type: list
  elements: dict
  contains:
    attack:
      description: Name of the attack, as C(jailctl verify --list) and the page on it have it.
      type: str
      sample: chroot_and_climb_up
    kind:
      description: What it is on.
      type: str
      sample: files
    jail:
      description: Name of the jail.
      type: str
      sample: web1
    verdict:
      description:
        - V(ok), V(breach) (it works and must not), V(too tight) (it does not work and should), V(lost) (it could not
          tell, as it was killed) or V(skipped).
      type: str
      sample: ok
    expected:
      description: What the document says of it, V(denied), V(works), V(either) or V(untried).
      type: str
      sample: denied
    policy:
      description: Why.
      type: str
      sample: no jail may
    outcome:
      description: What it came to, V(denied) or V(works), or an empty string where it could not be tried.
      type: str
      sample: denied
    why:
      description: What the kernel said, or what was got.
      type: str
      sample: EPERM
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
    document: {name: web1, command: [nginx], caps: {profile: none}}
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.caps import manage


def main() -> None:
    """Entry point of the module."""
    run_module("jail_caps", manage)


if __name__ == "__main__":
    main()
