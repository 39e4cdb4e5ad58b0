#!/usr/bin/python
# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: jail_ip
short_description: Give a jail its addresses
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Decides which network stack a jail has, which addresses it has on it, and what it reaches.
  - With O(mode=vnet) a jail has a stack of its own, at the end of a wire that leads to nobody but its host. The host
    routes the jail's addresses to it, one by one, and drops everything that the jail sends from another address, over
    IPv4, IPv6 and ARP. There is no broadcast domain to listen to.
  - With O(mode=shared) a jail uses the network stack of the host, as a classic jail of FreeBSD does, and the kernel
    holds it to its addresses there, by programs on its control group. Binding to the wildcard or to loopback binds to
    the first address of that family, binding to any other address fails with C(EADDRNOTAVAIL), and what the jail sends
    comes from its addresses. So two jails serve the same port on every address, at no measurable cost.
  - The stack is made when the jail is defined and kept until it is removed, so a restart of the jail changes nothing
    about it. Addresses, routes, O(mtu) and O(mac) change while the jail runs, and other connections than those of an
    address that goes stay open.
  - An address that the host, its routing table or another jail has already is refused.
  - An option that a task gives is taken whole; one that it does not give stays as it is stored. An empty value
    clears an option.
  - Live state counts, so an address that was removed by hand, in the jail or on the host, is added again.
notes:
  - The host forwards packets between its jails by itself (over IPv6 from Linux 6.17 on). For other hosts to be reached
    it has to forward on its own interfaces too (C(net.ipv4.ip_forward), C(net.ipv6.conf.all.forwarding)), and those
    hosts need a route to the jails' addresses.
  - What a jail sends to link-local IPv4 addresses is dropped, for no router may forward it. The metadata service of a
    cloud, at 169.254.169.254, is therefore out of reach.
  - A jail with O(mode=shared) sees the host's links, addresses and sockets, as anybody on the host does, and changes
    none of them. A service of the host that listens on every address has its port on the jail's addresses too; such
    ports are named in a warning.
  - Links named C(jl) and a number are the engine's. It marks each with the name of its jail, and removes none without
    that mark.
requirements:
  - pyroute2 0.7.2 or newer, for the Python that runs the module, for O(bandwidth)
  - Linux 5.12 with CONFIG_CGROUP_BPF for O(mode=shared); before 5.18 a refused address fails with C(EPERM)
  - a kernel with veth, sch_ingress and cls_bpf for O(mode=vnet), and with sch_tbf, ifb and act_mirred for O(bandwidth)
  - nft, of the package nftables, for O(forwards), O(masquerade) and O(firewall)
extends_documentation_fragment:
  - hosting.jails._attributes
  - hosting.jails._attributes.acting
  - hosting.jails._attributes.by_engine
options:
  jail:
    description:
      - Name of the jail. One that does not exist yet is defined, and not started.
    type: str
    required: true
  mode:
    description:
      - The network stack of the jail.
      - V(vnet) gives the jail a network stack of its own, which the host routes its addresses to.
      - V(shared) leaves it the network stack of the host and holds it to its addresses there.
      - V(none) gives it an empty network stack with a loopback interface.
      - V(host) leaves it the network stack of the host.
      - From and to V(host) and V(shared) a jail changes by a restart.
      - A jail that never said otherwise has V(none).
    type: str
    choices:
      - vnet
      - shared
      - none
      - host
  addresses:
    description:
      - Addresses of the jail, for example V(10.20.0.11/32) and V(fd00:20::11/128). O(mode=vnet) and O(mode=shared) need
        at least one.
      - V(auto) is a free address of each family that the host has pools of, V(auto4) and V(auto6) are one of that
        family. The jail keeps what it gets.
      - The pools are those that M(hosting.jails.jail_engine) or the role P(hosting.jails.host#role) has given the host.
        The document has the address itself, and a task that says V(auto) again changes nothing.
      - With O(mode=shared) the first address of a family is what the wildcard and loopback become, and where
        connections come from. One that the host has already is used as it is.
    type: list
    elements: str
  bridge:
    description:
      - Bridge of the host that a jail with O(mode=vnet) is plugged into, instead of being routed to. Its addresses then
        have the prefix of that network, for example V(192.0.2.10/24).
      - The bridge has to be there; it is never changed but by a port. An address that a station on it answers for is
        refused.
      - The jail is held to its addresses and its MAC, and plays neither router nor DHCP server.
    type: str
  parent:
    description:
      - Link of the host that a jail with O(mode=vnet) gets a macvlan of, instead of being routed to. Its addresses then
        have the prefix of that network. The host itself does not reach such a jail.
      - Not for jails whose root owns the network, as the host could not hold those to their addresses.
    type: str
  gateway:
    description:
      - Router of the network that O(bridge) or O(parent) lead to, one for each family.
    type: list
    elements: str
  interface:
    description:
      - Link of the host that carries the addresses of a jail with O(mode=shared).
      - Without it they have to be the host's already.
      - Each address is added to it on its own, marked by a metric from 106000001 on, and taken away with the jail. What
        does not bear that mark is never removed.
    type: str
  mtu:
    description:
      - Largest packet in bytes. The default is the kernel's.
    type: int
  mac:
    description:
      - MAC address of the jail's interface. The default is derived from the jail's name.
    type: str
  dns:
    description:
      - Name resolution in the jail, written into its C(/etc/resolv.conf) at each start.
      - The default is the host's, without name servers on the host's own loopback. A jail with O(mode=none), or one
        that boots a whole distribution, keeps its own file then.
    type: dict
    suboptions:
      servers:
        description:
          - Addresses of name servers, the first one asked first.
        type: list
        elements: str
      search:
        description:
          - Domains that are tried for names without a dot.
        type: list
        elements: str
      options:
        description:
          - Options of C(resolv.conf(5\)), for example V(ndots:2).
        type: list
        elements: str
  routes:
    description:
      - Routes of the jail besides those to its host.
    type: list
    elements: dict
    suboptions:
      to:
        description:
          - Network with its prefix, or V(default) to take the place of the way through the host.
        type: str
        required: true
      via:
        description:
          - Address of the gateway.
        type: str
        required: true
  forwards:
    description:
      - Ports of the host that lead to the jail, for connections from other machines, from the host itself, and from
        jails, over IPv4 and IPv6 as far as the jail has addresses of them.
      - A port that another jail has, or that a program of the host listens on, is refused.
      - What connects to the host's loopback addresses stays on the host.
    type: list
    elements: dict
    suboptions:
      port:
        description:
          - Port of the host, or a range of ports such as V(8000-8010).
        type: str
        required: true
      host_address:
        description:
          - Address of the host that is listened on. The default is all of them, but those of jails and of loopback.
        type: str
      to:
        description:
          - Port of the jail; with a range the first of as many. The default is the port of the host.
        type: int
      protocol:
        description:
          - What is forwarded. The default is V(tcp).
        type: str
        choices: [tcp, udp]
      address:
        description:
          - Address of the jail, without a prefix. The default is its first IPv4 address for what comes over IPv4, and
            its first IPv6 address for what comes over IPv6.
        type: str
  masquerade:
    description:
      - Whether what the jail sends from a private address to other machines leaves the host under the host's own
        address. What it sends from an address that the world can answer to is left as it is.
      - A jail that never said otherwise has V(false).
    type: bool
  firewall:
    description:
      - What may reach the jail, and what it may reach. A jail without it is open in both directions.
      - The host enforces it, so the jail's root cannot change it. Answers to connections that were let in or out always
        pass, as do the errors of ICMP that belong to them and what IPv6 needs to find its neighbours.
      - Ports and addresses are those of the jail, also for what comes through O(forwards).
    type: dict
    suboptions:
      inbound:
        description:
          - What reaches the jail, from anywhere, be it the world, the host, or other jails.
        type: dict
        suboptions:
          policy:
            description:
              - What becomes of connections that no rule is about. The default is V(accept).
            type: str
            choices: [accept, drop, reject]
          rules:
            description:
              - Rules, of which the first that applies decides.
            type: list
            elements: dict
            suboptions:
              protocol:
                description:
                  - What the rule is about. V(icmp) is ICMP and ICMPv6. The default is everything.
                type: str
                choices: [tcp, udp, icmp]
              ports:
                description:
                  - Ports that are connected to, or ranges of ports such as V(8000-8010). The default is all. They need
                    a protocol that has ports.
                type: list
                elements: str
              from:
                description:
                  - Addresses and networks that it comes from. The default is all.
                type: list
                elements: str
              action:
                description:
                  - What becomes of it. The default is V(accept).
                type: str
                choices: [accept, drop, reject]
      outbound:
        description:
          - What the jail reaches.
        type: dict
        suboptions:
          policy:
            description:
              - What becomes of connections that no rule is about. The default is V(accept).
            type: str
            choices: [accept, drop, reject]
          rules:
            description:
              - Rules, of which the first that applies decides.
            type: list
            elements: dict
            suboptions:
              protocol:
                description:
                  - What the rule is about. V(icmp) is ICMP and ICMPv6. The default is everything.
                type: str
                choices: [tcp, udp, icmp]
              ports:
                description:
                  - Ports that are connected to, or ranges of ports such as V(8000-8010). The default is all. They need
                    a protocol that has ports.
                type: list
                elements: str
              to:
                description:
                  - Addresses and networks that it goes to. The default is all.
                type: list
                elements: str
              action:
                description:
                  - What becomes of it. The default is V(accept).
                type: str
                choices: [accept, drop, reject]
  bandwidth:
    description:
      - How fast the jail may receive and send, in bits a second, with a suffix V(K), V(M) or V(G) of 1,000s as networks
        are sold. The default is as fast as it can.
    type: dict
    suboptions:
      ingress:
        description:
          - Bits a second that the jail receives, V(10M) being ten million.
        type: str
      egress:
        description:
          - Bits a second that the jail sends.
        type: str
  admin:
    description:
      - Whether the jail's root administers the network stack of the jail, which then belongs to the jail's user
        namespace. It has links, routes, a packet filter and raw sockets to itself.
      - What leaves the jail is held to its addresses by the host all the same.
      - A jail with the profile V(vps) of M(hosting.jails.jail_caps) does so without asking.
    type: bool
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
  - module: hosting.jails.jail_caps
  - module: hosting.jails.jail_info
"""

EXAMPLES = r"""
---
- name: Give a jail one address of each family
  hosting.jails.jail_ip:
    jail: web1
    mode: vnet
    addresses: [10.20.0.11/32, "fd00:20::11/128"]

- name: Give a jail an address of each family from the pools of its host
  hosting.jails.jail_ip:
    jail: web2
    mode: vnet
    addresses: [auto]

- name: A jail on a bridge of the host, with a router there
  hosting.jails.jail_ip:
    jail: lan1
    mode: vnet
    bridge: br0
    addresses: [192.0.2.10/24]
    gateway: [192.0.2.1]

- name: Add an address while the jail runs
  hosting.jails.jail_ip:
    jail: web1
    addresses: [10.20.0.11/32, 10.20.0.12/32, "fd00:20::11/128"]

- name: Use the host's own network stack, with addresses on its link eth0
  hosting.jails.jail_ip:
    jail: dns1
    mode: shared
    interface: eth0
    addresses: [192.0.2.53/32, "2001:db8::53/128"]

- name: Name servers of its own; the jail gets them with its next start, so restart it
  hosting.jails.jail_ip:
    jail: web1
    dns: {servers: [10.20.0.53], search: [example.org]}
    apply: restart

- name: A smaller mtu, for a host behind a tunnel
  hosting.jails.jail_ip:
    jail: web1
    mtu: 1400

- name: The host's port 8080 leads to the jail's web server, and nothing else reaches the jail
  hosting.jails.jail_ip:
    jail: web1
    forwards:
      - {port: 8080, to: 80}
    firewall:
      inbound:
        policy: drop
        rules:
          - {protocol: tcp, ports: [80]}

- name: A private address that reaches the Internet, but no mail servers, with 10 Mbit/s
  hosting.jails.jail_ip:
    jail: web1
    masquerade: true
    bandwidth: {egress: 10M}
    firewall:
      outbound:
        rules:
          - {protocol: tcp, ports: [25], action: reject}

- name: A batch job that reaches nobody
  hosting.jails.jail_ip:
    jail: batch1
    mode: none
"""

RETURN = r"""
---
actions:
  description: What was done, or in check mode what would be done, one line a step and in that order.
  returned: success
  type: list
  elements: str
  sample:
    - "document.write web1: ip.addresses: ['10.20.0.11/32'] -> ['10.20.0.11/32', '10.20.0.12/32']"
    - "network.change web1: +10.20.0.12/32"
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
  sample: ["ip.mode: 'vnet' -> 'host' needs a restart"]
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
    addresses: [10.20.0.11/32, 10.20.0.12/32, "fd00:20::11/128"]
    labels: {customer: acme}
    autostart: true
    restarts: 0
    exit_status: null
    message: ""
    ended: null
    document: {name: web1, ip: {mode: vnet, addresses: [10.20.0.11/32, 10.20.0.12/32, "fd00:20::11/128"]}}
"""

from ..module_utils._engine.module import run_module
from ..module_utils._engine.tasks.parts import manage_addresses


def main() -> None:
    """Entry point of the module."""
    run_module("jail_ip", manage_addresses)


if __name__ == "__main__":
    main()
