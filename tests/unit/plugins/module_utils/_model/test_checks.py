# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import check, normalise

VNET = {"mode": "vnet", "addresses": ["10.0.0.1"]}


def complaints(raw, prefix=""):
    return [str(error) for error in check(normalise(raw, jail="web1"), prefix=prefix)]


SHARED = {"mode": "shared", "interface": "eth0", "addresses": ["10.0.0.1"]}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"init": "system"},
        {"init": "system", "caps": {"profile": "vps"}},
        {"init": "none", "command": ["nginx"]},
        {"ip": VNET, "sysctls": {"net.core.somaxconn": 1}},
        {"sysctls": {"net.core.somaxconn": 1}},
        {"mounts": [{"type": "tmpfs", "target": "/dev/shm", "size": "1M"}]},
        {"mounts": [{"source": "/srv", "target": "/srv"}, {"source": "/srv/a", "target": "/srv/a"}]},
        {"limits": {"memory": "1G", "swap": 0}},
        {"hooks": [{"stage": "poststart", "where": "jail", "command": ["true"]}]},
    ],
)
def test_what_fits_together_is_accepted(raw):
    assert complaints(raw) == []


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"init": "system", "command": ["x"]}, "command: init: system runs the jail's own init"),
        ({"init": "system", "user": "www"}, "user: init: system runs as root"),
        ({"init": "system", "caps": {"profile": "none"}}, "caps.profile: "),
        ({"init": "none"}, "command: is missing"),
        ({"command": ["", "x"]}, "command[0]: is empty"),
        ({"ip": {"mode": "vnet"}}, "ip.addresses: mode vnet needs at least one address"),
        ({"ip": {"addresses": ["10.0.0.1"]}}, "ip.addresses: mode none has no interface of the jail's own"),
        ({"ip": {"mode": "host", "mtu": 1500}}, "ip.mtu: mode host has no interface"),
        ({"ip": {"mode": "host"}, "sysctls": {"net.core.somaxconn": 1}}, "sysctls['net.core.somaxconn']: "),
        ({"ip": {"mode": "shared", "interface": "eth0"}}, "ip.addresses: mode shared needs at least one address"),
        ({"ip": {**SHARED, "mtu": 1500}}, "ip.mtu: mode shared has no interface of the jail's own"),
        ({"ip": {**SHARED, "mac": "02:00:00:00:00:01"}}, "ip.mac: mode shared has no interface"),
        (
            {"ip": {**SHARED, "routes": [{"to": "default", "via": "10.0.0.2"}]}},
            "ip.routes: mode shared has no interface",
        ),
        ({"ip": {**SHARED, "addresses": ["10.0.0.5/24"]}}, "ip.addresses[0]: "),
        ({"ip": {**SHARED, "mode": "vnet"}}, "ip.interface: mode vnet puts no addresses on a link of the host's"),
        ({"ip": {"interface": "eth0"}}, "ip.interface: mode none puts no addresses on a link"),
        ({"ip": SHARED, "sysctls": {"net.ipv4.ip_forward": "1"}}, "with ip.mode: shared this is the host's own sysctl"),
        (
            {"ip": {**SHARED, "addresses": [f"fd00::{number:x}" for number in range(1, 514)]}},
            "ip.addresses: mode shared holds a jail to 512 at most",
        ),
        ({"mounts": [{"source": "/a", "target": "/"}]}, "mounts[0].target: the root is what rootfs is for"),
        ({"mounts": [{"source": "/a", "target": "/proc/1"}]}, "mounts[0].target: /proc is the engine's own"),
        ({"mounts": [{"source": "/a", "target": "/sys"}]}, "mounts[0].target: /sys is the engine's own"),
        ({"mounts": [{"source": "/a", "target": "/dev/shm/x"}]}, "mounts[0].target: /dev is the engine's own"),
        ({"mounts": [{"source": "/a", "target": "/b"}] * 2}, "mounts[1].target: /b is already the target of mounts[0]"),
        (
            {"mounts": [{"source": "/a", "target": "/b/c"}, {"source": "/a", "target": "/b"}]},
            "mounts[1].target: would hide mounts[0] on /b/c; put the outer mount first",
        ),
        ({"mounts": [{"target": "/b"}]}, "mounts[0].source: is missing"),
        ({"mounts": [{"source": "/", "target": "/b"}]}, "mounts[0].source: / would show the host's /proc"),
        ({"mounts": [{"source": "/var/lib", "target": "/b"}]}, "would show the host's /var/lib/jails"),
        ({"mounts": [{"source": "/dev/sda", "target": "/b"}]}, "would show the host's /dev"),
        ({"mounts": [{"source": "/a", "target": "/b", "size": "1M"}]}, "mounts[0].size: only a tmpfs has a size"),
        ({"mounts": [{"type": "tmpfs", "source": "/a", "target": "/b"}]}, "mounts[0].source: a tmpfs has no source"),
        ({"limits": {"swap": "1M"}}, "limits.swap: counts on top of limits.memory"),
        ({"limits": {"io": [{"device": "/dev/vda"}]}}, "limits.io[0]: limits nothing"),
        (
            {"limits": {"io": [{"device": "8:0", "read_iops": 1}, {"device": "8:0", "read_bps": 1}]}},
            "limits.io[1].device: 8:0 is already in limits.io[0]",
        ),
        ({"depends": ["db1", "web1"]}, "depends[1]: a jail cannot depend on itself"),
        (
            {"hooks": [{"stage": "prestart", "where": "jail", "command": ["x"]}]},
            "hooks[0].where: the jail does not live at prestart",
        ),
        ({"hooks": [{"stage": "prestart", "command": ["x"]}]}, "hooks[0].command[0]: is not an absolute path"),
        ({"caps": {"keep": ["NET_RAW"], "drop": ["NET_RAW"]}}, "caps.keep[0]: NET_RAW is also in caps.drop"),
        ({"caps": {"user_namespace": False}, "ip": {"mode": "host"}}, "ip.mode: "),
        ({"caps": {"user_namespace": False}, "init": "system"}, "caps.profile: "),
        (
            {"caps": {"read_only_paths": ["/usr", "/etc"]}},
            "caps.read_only_paths[1]: each start writes /etc/hostname, /etc/hosts and /etc/resolv.conf; name what else",
        ),
        ({"caps": {"masked_paths": ["/etc/hosts"]}}, "caps.masked_paths[0]: each start writes /etc/hosts; name"),
        ({"caps": {"masked_paths": ["/"]}}, "caps.masked_paths[0]: no jail runs without /; name what is below it"),
        (
            {"caps": {"profile": "vps", "read_only_paths": ["/srv", "/proc/sys"]}},
            "caps.read_only_paths[1]: the profile vps mounts what /proc/sys is in itself",
        ),
        ({"caps": {"devices": ["minimal", "none"]}}, "caps.devices[1]: none is a second profile; say one"),
        ({"caps": {"devices": ["/dev/null"]}}, "caps.devices[0].path: /dev/null is the engine's own"),
        ({"caps": {"devices": ["/dev/pts/0"]}}, "caps.devices[0].path: /dev/pts/0 is the engine's own"),
        (
            {"caps": {"devices": ["/dev/fuse", {"path": "/dev/fuse", "access": "r"}]}},
            "caps.devices[1].path: /dev/fuse is said twice",
        ),
        (
            {"caps": {"devices": [{"path": "/dev/a", "major": 1, "minor": 2}]}},
            "caps.devices[0]: says only a part of type, major and minor",
        ),
        (
            {"caps": {"devices": [{"path": "/dev/a", "source": "/dev/b", "type": "char", "major": 1, "minor": 2}]}},
            "caps.devices[0].source: the device is given by its numbers",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(raw, complaint):
    found = complaints(raw)
    assert len(found) == 1
    assert complaint in found[0]


def test_all_complaints_come_at_once_and_each_has_the_prefix():
    found = complaints({"depends": ["web1"], "ip": {"mode": "vnet"}, "caps": {"keep": ["SYS_TIME"]}}, "jails[3].")
    assert [text.split(": ")[1] for text in found] == [
        "jails[3].depends[0]",
        "jails[3].ip.addresses",
        "jails[3].caps.keep[0]",
    ]


@pytest.mark.parametrize(
    ("ip", "message"),
    [
        ({"addresses": ["10.0.0.5/24"]}, "ip.addresses[0]: '10.0.0.5/24' stands for a whole network"),
        ({"addresses": ["10.0.0.5"], "gateway": ["10.0.0.1"]}, "ip.gateway: a routed jail's gateway is its host"),
        ({"bridge": "br0", "parent": "eth0"}, "ip.parent: the jail is already on a bridge"),
        ({"bridge": "br0", "gateway": ["10.0.1.1"]}, "ip.gateway[0]: 10.0.1.1 is in the network of none"),
        ({"bridge": "br0", "gateway": ["10.0.0.1", "10.0.0.2"]}, "ip.gateway[1]: there is a gateway of that family"),
        ({"parent": "eth0", "admin": True}, "ip.parent: the host cannot hold a jail to its addresses there"),
        ({"mode": "none", "bridge": "br0", "addresses": []}, "ip.bridge: mode none has no interface"),
    ],
)
def test_what_a_wire_cannot_be_is_refused(ip, message):
    document = {"name": "web1", "ip": {"mode": "vnet", "addresses": ["10.0.0.5/24"], **ip}}
    assert message in str(next(iter(check(normalise(document, jail="web1")))))


@pytest.mark.parametrize("gateway", [[], ["10.0.0.1"], ["10.0.0.1", "fd00::1"], ["fe80::1"]])
def test_a_gateway_is_on_the_wire(gateway):
    ip = {"mode": "vnet", "bridge": "br0", "addresses": ["10.0.0.5/24", "fd00::5/64"], "gateway": gateway}
    assert not list(check(normalise({"name": "web1", "ip": ip}, jail="web1")))
