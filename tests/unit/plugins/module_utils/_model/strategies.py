# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents, junk and live states for property tests."""

from __future__ import annotations

from ansible_collections.hosting.jails.plugins.module_utils._model.document import check, effective, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.live import STATES, Live, NetworkLive
from ansible_collections.hosting.jails.plugins.module_utils._model.options import DOCUMENT
from hypothesis import strategies as st

JAIL = "web1"

words = st.text("abcxyz059-._", max_size=12)
sizes = st.sampled_from(["64M", "65536K", "1g", 134217728, "256M"])
addresses = st.lists(st.sampled_from(["10.20.0.11", "10.20.0.12/32", "FD00:20:0::11", "fd00:20::12/128"]), unique=True)

limits = st.fixed_dictionaries(
    {},
    optional={
        "memory": sizes,
        "cpus": st.sampled_from([0.5, "1.5", 2, 0.333333]),
        "cpu_weight": st.integers(1, 10000),
        "cpuset": st.sampled_from(["0", "1,0", "0-1", 3]),
        "pids": st.sampled_from([16, "128"]),
        "io": st.lists(st.fixed_dictionaries({"device": st.just("/dev/vda"), "read_bps": sizes}), max_size=1),
    },
)
mounts = st.lists(
    st.sampled_from(
        [
            {"source": "/srv//web1/", "target": "/srv"},
            {"type": "tmpfs", "target": "/tmp", "size": "64M"},
            {"source": "/srv/logs", "target": "/var/log", "read_only": True},
        ]
    ),
    unique_by=lambda mount: mount["target"],
)
hooks = st.lists(
    st.sampled_from(
        [
            {"stage": "prestart", "command": ["/usr/bin/logger", "starts"]},
            {"stage": "prestop", "where": "jail", "command": ["sync"], "timeout": 5},
        ]
    ),
    max_size=2,
)
networks = st.one_of(
    st.fixed_dictionaries(
        {"mode": st.just("vnet"), "addresses": addresses.filter(bool)},
        optional={
            "mtu": st.sampled_from([1280, "9000"]),
            "mac": st.just("02-00-00-00-00-0A"),
            "forwards": st.sampled_from([[{"port": "8080", "to": 80}], [{"port": "53", "protocol": "udp"}], []]),
            "masquerade": st.booleans(),
            "firewall": st.sampled_from(
                [{"inbound": {"policy": "drop", "rules": [{"protocol": "tcp", "ports": ["80"]}]}}, {"outbound": {}}]
            ),
            "bandwidth": st.sampled_from([{"ingress": "10M"}, {"egress": 5000000}]),
        },
    ),
    st.fixed_dictionaries(
        {"mode": st.just("shared"), "addresses": addresses.filter(bool), "interface": st.just("eth0")}
    ),
    st.fixed_dictionaries({"mode": st.sampled_from(["none", "host"])}),
)
privileges = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.sampled_from(["none", "service", "freebsd", "secure", "vps"]),
        "allow": st.sampled_from([["raw_sockets", "allow.nosysvipc"], {"mlock": True, "noreserved_ports": True}]),
        "keep": st.just(["cap_net_raw"]),
        "drop": st.just(["CAP_CHOWN", "kill"]),
        "no_new_privileges": st.booleans(),
        "seccomp": st.sampled_from(["default", "none"]),
        "masked_paths": st.just(["/srv//secret/"]),
        "read_only_paths": st.just(["/usr"]),
        "user_namespace": st.sampled_from([True, {"base": 1 << 20}, {"base": 1 << 21, "size": 131072}]),
        "devices": st.sampled_from([["none"], ["/dev/fuse"], ["minimal", {"path": "/dev/kvm", "access": "r"}]]),
    },
)
sources = st.sampled_from([{"template": "debian"}, {"packages": {}}, {"packages": {"include": ["nginx-light"]}}])


def raw_documents(*, with_rootfs: bool = True) -> st.SearchStrategy[dict]:
    """Documents as operators write them, all of them valid."""
    optional = {
        "hostname": st.sampled_from(["web1.example.org", "a", ""]),
        "command": st.lists(st.sampled_from(["nginx", "-g", 100]), max_size=3),
        "user": st.sampled_from(["root", "www-data:adm", "33"]),
        "workdir": st.sampled_from(["/", "/srv/./web//"]),
        "environment": st.dictionaries(st.sampled_from(["PORT", "DB_PASSWORD", "LANG"]), words),
        "syslog": st.booleans(),
        "mounts": mounts,
        "limits": limits,
        "rlimits": st.dictionaries(
            st.sampled_from(["nofile", "NPROC"]), st.sampled_from([1024, "unlimited", {"soft": "1K", "hard": "2K"}])
        ),
        "sysctls": st.dictionaries(st.sampled_from(["kernel.shmmax", "fs.mqueue.msg_max"]), st.integers(1, 999)),
        "depends": st.lists(st.sampled_from(["db1", "dns1"]), unique=True),
        "autostart": st.booleans(),
        "restart": st.fixed_dictionaries({"policy": st.sampled_from(["never", "on-failure", "always"])}),
        "stop": st.fixed_dictionaries({}, optional={"signal": st.sampled_from(["term", 15, "SIGRTMIN+3"])}),
        "hooks": hooks,
        "labels": st.dictionaries(st.sampled_from(["customer", "tier"]), words),
        "ip": networks,
        "caps": privileges,
    }
    if not with_rootfs:
        return st.fixed_dictionaries({}, optional=optional)
    return st.fixed_dictionaries({"rootfs": st.fixed_dictionaries({"source": sources})}, optional=optional)


def documents() -> st.SearchStrategy[dict]:
    """Canonical documents, as they are stored."""
    return raw_documents().map(lambda raw: normalise(raw, jail=JAIL)).filter(lambda document: not check(document))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
        | st.dictionaries(st.sampled_from(DOCUMENT.names), inner, max_size=4)
    ),
    max_leaves=20,
)


@st.composite
def lives(draw: st.DrawFn, stored: dict | None) -> Live:
    """Any state that a jail of a stored document can have drifted to."""
    state = draw(st.sampled_from(["stopped", "running", "frozen", "failed"] if stored else ["absent"]))
    assert state in STATES
    started = draw(documents()) if state in ("running", "frozen") else None
    full = effective(started) if started else None
    return Live(
        state=state,
        started=full,
        limits=draw(limits.map(lambda raw: normalise({"limits": raw}, jail=JAIL).get("limits", {}))) if full else None,
        network=draw(st.none() | networks_live()) if stored else None,
        rootfs=draw(st.none() | st.just(stored["rootfs"]["source"])) if stored else None,
        firewall=draw(st.sampled_from([None, (), ("2 missing",)])),
        devices=draw(st.sampled_from([None, True, False])),
    )


def networks_live() -> st.SearchStrategy[NetworkLive]:
    return st.builds(
        NetworkLive,
        mode=st.sampled_from(["vnet", "none"]),
        addresses=st.lists(st.sampled_from(["10.20.0.11/32", "192.0.2.1/32"]), unique=True).map(tuple),
        mtu=st.sampled_from([None, 1280, 1500]),
        up=st.booleans(),
        own_user_namespace=st.sampled_from([None, True, False]),
    )
