# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One value at a time, through the document, as that is the only way in."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError

JAIL = "web1"


def at(path, value):
    """A document with one option: ``at("ip.mac", ...)``"""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def canonical(path, value):
    found = normalise(at(path, value), jail=JAIL)
    for name in path.split("."):
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("path", "written", "stored"),
    [
        ("limits.memory", "262144K", "256M"),
        ("limits.memory", 268435456, "256M"),
        ("limits.swap", "0", "0"),
        ("limits.cpus", "0.50", 0.5),
        ("limits.cpus", 2.0, 2),
        ("limits.cpus", 1 / 3, 0.333),
        ("limits.cpuset", "3,0-1, 2", "0-3"),
        ("limits.cpuset", 0, "0"),
        ("limits.cpuset", "0,2,4-5", "0,2,4-5"),
        ("limits.pids", "128", 128),
        ("stop.signal", "term", "SIGTERM"),
        ("stop.signal", 15, "SIGTERM"),
        ("stop.signal", "9", "SIGKILL"),
        ("stop.signal", "sigrtmin+3", "SIGRTMIN+3"),
        ("ip.addresses", ["10.0.0.1", "FD00:0::1/128"], ["10.0.0.1/32", "fd00::1/128"]),
        ("ip.mac", "02-00-00-00-00-0A", "02:00:00:00:00:0a"),
        ("ip.routes", [{"to": "10.1.0.0/16", "via": "10.0.0.1"}], [{"to": "10.1.0.0/16", "via": "10.0.0.1"}]),
        ("ip.dns.servers", ["2001:DB8::1"], ["2001:db8::1"]),
        ("caps.keep", ["cap_net_raw", "CHOWN"], ["NET_RAW", "CHOWN"]),
        ("rlimits", {"NOFILE": 1024}, {"nofile": {"soft": 1024, "hard": 1024}}),
        ("rlimits", {"core": "infinity"}, {"core": {"soft": "unlimited", "hard": "unlimited"}}),
        ("rlimits", {"nofile": {"soft": "1K", "hard": "unlimited"}}, {"nofile": {"soft": 1024, "hard": "unlimited"}}),
        ("workdir", "/srv//web/./", "/srv/web"),
        ("environment", {"B": 1, "A": ""}, {"A": "", "B": "1"}),
        ("command", ["sleep", 100, ""], ["sleep", "100", ""]),
        ("sysctls", {"net.core.somaxconn": 4096}, {"net.core.somaxconn": "4096"}),
        ("rootfs.source", {"packages": {}}, {"packages": {}}),
        ("rootfs.source", {"empty": True, "template": None}, {"empty": True}),
    ],
)
def test_a_value_has_one_spelling(path, written, stored):
    assert canonical(path, written) == stored


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("limits.memory", "x", "limits.memory: 'x' is not a size; write a whole number"),
        ("limits.memory", 256, "limits.memory: 256 is too little for any program; write at least 1M"),
        ("limits.cpus", 0, "limits.cpus: 0 is out of range"),
        ("limits.cpus", float("nan"), "limits.cpus: nan is out of range"),
        ("limits.cpus", "inf", "limits.cpus: 'inf' is not a number"),
        ("limits.cpuset", "3-1", "limits.cpuset: '3-1' is not a set of processors"),
        ("limits.cpuset", "0,", "limits.cpuset: '0,' is not a set of processors"),
        ("limits.pids", 0, "limits.pids: 0 is not accepted; write a whole number from 1 to"),
        ("limits.pids", True, "limits.pids: True is not accepted"),
        ("limits.memroy", "1M", "limits.memroy: there is no option of that name; did you mean memory"),
        ("stop.signal", "SIGTREM", "stop.signal: 'SIGTREM' is not a signal; did you mean SIGTERM"),
        ("stop.signal", "SIGRTMIN+31", "is not a signal"),
        ("stop.timeout", -1, "stop.timeout: -1 is not accepted; write a whole number from 0 to 3600"),
        ("ip.mode", "vnat", "ip.mode: 'vnat' is not a choice; use vnet, shared, none or host"),
        ("ip.bridge", "br/0", "ip.bridge: 'br/0' is not"),
        ("ip.addresses", "10.0.0.1", "ip.addresses: '10.0.0.1' is not a list"),
        ("ip.addresses", ["10.0.0.0/24"], r"ip.addresses\[0\]: '10.0.0.0/24' stands for a whole .* write 10.0.0.0/32"),
        ("ip.addresses", ["10.0.0.1", "10.0.0.1/32"], r"ip.addresses\[1\]: '10.0.0.1/32' is already said by .*\[0\]"),
        ("ip.addresses", ["224.0.0.1"], "is a multicast address"),
        ("ip.addresses", ["ff02::1"], "is a multicast address"),
        ("ip.addresses", ["0.0.0.0"], "is the unspecified address"),
        ("ip.addresses", ["::"], "is the unspecified address"),
        ("ip.addresses", ["127.0.0.1"], "is a loopback address"),
        ("ip.addresses", ["::1"], "is a loopback address"),
        ("ip.addresses", ["169.254.1.1"], "is a link-local address"),
        ("ip.addresses", ["fe80::1"], "is a link-local address"),
        ("ip.addresses", ["255.255.255.255"], "is a reserved address"),
        ("ip.addresses", ["::ffff:10.0.0.1"], "is an IPv4 address written as IPv6"),
        ("ip.addresses", ["fd00::1%eth0"], "has a zone"),
        ("ip.addresses", ["010.0.0.1x"], "is not an address"),
        ("ip.addresses", [167772161], "is not an address; put it in quotes"),
        ("ip.mtu", 500, "ip.mtu: 500 is not accepted; write a whole number from 1280"),
        ("ip.mac", "01:00:00:00:00:01", "is not the address of a single interface"),
        ("ip.routes", [{"to": "10.0.0.1/8", "via": "10.0.0.1"}], r"ip.routes\[0\].to: '10.0.0.1/8' is not a network"),
        ("ip.routes", [{"to": "default"}], r"ip.routes\[0\].via: is missing"),
        ("caps.profile", "weak", "caps.profile: 'weak' is not a choice; use none, service, freebsd, secure or vps"),
        ("caps.keep", ["CAP_NET_ROW"], r"caps.keep\[0\]: 'CAP_NET_ROW' is not a capability; did you mean NET_RAW"),
        ("caps.user_namespace", "yes", "caps.user_namespace: 'yes' is neither true nor false"),
        ("caps.user_namespace", {"size": 65536}, "caps.user_namespace.base: is missing"),
        (
            "caps.user_namespace",
            {"base": 0},
            "caps.user_namespace.base: 0 is not accepted; write a whole number from 65536",
        ),
        (
            "caps.user_namespace",
            {"base": 1000000},
            "caps.user_namespace.base: 1000000 is not a multiple of 65536, .*; write 983040 or 1048576",
        ),
        ("caps.user_namespace", {"base": 65536, "size": 65537}, "caps.user_namespace.size: 65537 is not a multiple"),
        (
            "caps.user_namespace",
            {"base": 2147418112, "size": 131072},
            "caps.user_namespace: reaches beyond 2147483647, the last id",
        ),
        ("caps.devices", "minimal", "caps.devices: 'minimal' is not a list"),
        ("caps.devices", ["fuse"], r"caps.devices\[0\]: 'fuse' is neither a profile nor a path"),
        ("caps.devices", ["/etc/passwd"], r"caps.devices\[0\]: '/etc/passwd' is not the path of a device"),
        ("caps.devices", ["/dev/../etc/x"], r"caps.devices\[0\]: '/dev/../etc/x' is not the path of a device"),
        ("caps.devices", [{"access": "r"}], r"caps.devices\[0\].path: is missing"),
        ("caps.devices", [{"path": "/dev/fuse", "mode": 432}], r"caps.devices\[0\].mode: '432' is not a mode"),
        ("caps.devices", [{"path": "/dev/fuse", "access": "rwm"}], r"caps.devices\[0\].access: 'rwm' is not a choice"),
        ("caps.devices", ["/dev/fuse", {"path": "/dev/fuse"}], r"caps.devices\[1\]: a mapping is already said"),
        ("caps", [], None),
        ("rlimits", {"nofiles": 1}, "rlimits.nofiles: 'nofiles' is not a resource limit; did you mean nofile"),
        ("rlimits", {"nofile": {"soft": 2, "hard": 1}}, "rlimits.nofile.soft: 2 is more than the hard limit 1"),
        ("rlimits", {"nofile": {"soft": "unlimited", "hard": 1}}, "is more than the hard limit 1"),
        ("rlimits", {"nofile": {"soft": 2}}, "says only one of soft and hard"),
        ("sysctls", {"vm.swappiness": 1}, "this sysctl belongs to the host"),
        ("sysctls", {"kernel.core_pattern": "x"}, "this sysctl belongs to the host"),
        ("sysctls", {"net/../kernel": "x"}, "is not a sysctl"),
        ("sysctls", {"kernel.semx": 1}, "this sysctl belongs to the host"),
        ("hostname", "a" * 65, "hostname: .* is not a host name"),
        ("hostname", "web1\n", r"hostname: 'web1\\n' contains '\\n'"),
        ("hostname", "-a", "is not a host name"),
        ("hostname", "a..b", "is not a host name"),
        ("command", "nginx", "command: 'nginx' is not a list; write a list"),
        ("command", ["a\0b"], r"command\[0\]: .* contains '\\x00'"),
        ("command", [1.5], r"command\[0\]: 1.5 is not text; put it in quotes"),
        ("command", [None], r"command\[0\]: nothing is not text"),
        ("environment", {"A B": "x"}, "is not the name of an environment variable"),
        ("environment", {"A": "x\ny"}, r"environment.A: 'x\\ny' contains '\\n'"),
        ("environment", {"A": True}, "environment.A: True is not text; put it in quotes"),
        ("environment", {"A": None}, "environment.A: nothing is not text"),
        ("labels", {"": "x"}, "is not a label's name"),
        ("user", "root; rm", "user: 'root; rm' is not a user"),
        ("workdir", "srv", "workdir: 'srv' is not an absolute path"),
        ("workdir", "/srv/../etc", "workdir: '/srv/../etc' contains '..'"),
        ("mounts", [{"source": "/a"}], r"mounts\[0\].target: is missing"),
        ("mounts", [{"source": "/a", "target": "/b", "readonly": True}], "did you mean read_only"),
        ("depends", ["db1", "db1"], r"depends\[1\]: 'db1' is already said by depends\[0\]"),
        ("depends", ["../x"], r"depends\[0\]: '../x' is not a name"),
        ("autostart", "yes", "autostart: 'yes' is neither true nor false"),
        ("restart.policy", "sometimes", "use never, on-failure or always"),
        ("hooks", [{"stage": "boot", "command": ["/x"]}], r"hooks\[0\].stage: 'boot' is not a choice"),
        ("hooks", [{"stage": "prestart", "command": []}], r"hooks\[0\].command: is missing"),
        ("rootfs.source", {"template": "a", "empty": True}, "says both template and empty; say exactly one of"),
        ("rootfs.source", {"host": {}}, "rootfs.source.host: is not available yet; use template, archive"),
        ("rootfs.source", {"template": "../x"}, "rootfs.source.template: '../x' is not a name"),
        ("rootfs.source", {"archive": {"checksum": "md5:x"}}, "rootfs.source.archive.path: is missing"),
        ("rootfs.source", {"archive": {"path": "/a", "checksum": "md5:x"}}, "'md5:x' is not a checksum"),
        ("rootfs.source", {"packages": {"include": ["--aptopt=x"]}}, r"include\[0\]: '--aptopt=x' is not a package"),
        ("rootfs.source", {"empty": False}, "rootfs.source.empty: False is not true"),
        ("rootfs.size", "1G", "rootfs.size: is not available yet"),
        ("memory", "1G", "memory: there is no option of that name"),
        ("name", "web2", "name: 'web2' is another jail"),
    ],
)
def test_what_cannot_be_is_refused_with_its_path_and_a_remedy(path, value, message):
    if message is None:  # empty, which is as good as not said
        assert normalise(at(path, value), jail=JAIL) == {"name": JAIL}
        return
    with pytest.raises(DocumentError, match=message) as caught:
        normalise(at(path, value), jail=JAIL)
    assert str(caught.value).startswith("jail web1: ")
    assert caught.value.remedy


def test_a_prefix_says_where_in_a_fleet_the_mistake_is():
    with pytest.raises(DocumentError, match=r"^jail web1: jails\[17\]\.ip\.addresses\[0\]: 'x' is not an address"):
        normalise({"ip": {"addresses": ["x"]}}, jail=JAIL, prefix="jails[17].")
