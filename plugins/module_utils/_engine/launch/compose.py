# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..._kernel import files
from ..._model.allocation import RANGE, Allocation
from ..._model.permissions import spread
from ..._model.profiles import has_user_namespace
from .. import devices, places, privileges, truth
from ..ceiling import Ceiling
from ..errors import EngineError
from ..resolver import resolver_files
from ..rootfs import directories
from ..rootfs.roots import overlay_layers
from .reaper import find_reaper
from .recipe import Mount, Recipe

_PING_GROUPS = "net.ipv4.ping_group_range"


def compose(document: Mapping[str, Any], allocation: Allocation) -> Recipe:
    """Everything that the start of a jail needs, from its effective document and what it has of the host.

    EngineError for what can be seen to fail beforehand: a mount's source or a device that is not there, or an rlimit
    that this engine cannot give.
    """
    name = document["name"]
    if not (allocation.ids.size and has_user_namespace(document)):
        _refuse_root_of_the_host(document, allocation)
    system = document["caps"]["profile"] == "vps"
    ceiling = _ceiling(document)
    truth.refuse_weaker(document, report=ceiling.report)
    return Recipe(
        name=name,
        hostname=document["hostname"],
        layers=overlay_layers(name),
        user_namespace=places.namespace(name, "user") if allocation.ids.size else "",
        network="" if document["ip"]["mode"] in ("host", "shared") else places.namespace(name, "net"),
        cgroup=places.cgroup(name),
        id_base=allocation.uid_base,
        init=_init(document),
        command=tuple(document.get("command", ())),
        user=document["user"],
        workdir=document["workdir"],
        ceiling=ceiling,
        devices=devices.resolve(document),
        system=system,
        environment=document["environment"],
        mounts=tuple(_mount(name, number, mount) for number, mount in enumerate(document["mounts"])),
        masked_paths=tuple(document["caps"]["masked_paths"]),
        read_only_paths=tuple(document["caps"]["read_only_paths"]),
        rlimits=_rlimits(document),
        sysctls=_sysctls(document["sysctls"], id_base=0 if system else allocation.uid_base),
        files=resolver_files(document),
        syslog=places.syslog(name) if document["syslog"] else "",
        limits=document["limits"],
    )


def _refuse_root_of_the_host(document: Mapping[str, Any], allocation: Allocation) -> None:
    """A document that somebody has changed by hand must not give such a jail what only others may have."""
    from ..._model.fixed_ids import refuse_other_ids
    from ..host_root import refuse_reachable, refuse_unsafe

    refuse_other_ids(allocation, document)
    refuse_unsafe(document)
    refuse_reachable(document["name"], directories.root(document["name"]))


def _init(document: Mapping[str, Any]) -> str:
    if document["init"] != "auto":
        return str(document["init"])
    return find_reaper(pausing=not document.get("command"))


def _ceiling(document: Mapping[str, Any]) -> Ceiling:
    """Most jails of a host are alike in their privileges, so a filter is compiled once for all of them."""
    caps = document["caps"]
    if isinstance(caps["seccomp"], str) and caps["seccomp"].startswith("/"):
        caps = {**caps, "seccomp": privileges.load_profile(caps["seccomp"], jail=document["name"])}
    network = {name: document["ip"][name] for name in ("mode", "admin")}
    decisive = {"caps": caps, "init": document["init"], "ip": network}
    key = files.canonical_json(decisive)
    return _compiled(key, os.uname().machine)


@lru_cache(maxsize=64)
def _compiled(key: str, architecture: str) -> Ceiling:
    import json

    return privileges.compile_ceiling(json.loads(key), architecture=architecture)


def _mount(name: str, number: int, mount: Mapping[str, Any]) -> Mount:
    option = f"mounts[{number}]"
    source = mount.get("source", "") if mount["type"] == "bind" else ""
    if source and not os.path.exists(source):
        raise EngineError(name, f"{source!r} does not exist", path=f"{option}.source", remedy="make it first")
    return Mount(option, source, mount["target"], mount["read_only"], mount.get("size", ""))


def _sysctls(asked: Mapping[str, str], *, id_base: int) -> dict[str, str]:
    """With the groups that may ping as whoever writes them calls them (icmp(7)): in the app order that is the host."""
    groups = asked.get(_PING_GROUPS, "").split()
    if len(groups) != 2 or not all(group.isdecimal() for group in groups):
        return dict(asked)
    first, last = (min(int(group), RANGE - 1) for group in groups)
    # The first above the last stands for nobody.
    return {**asked, _PING_GROUPS: f"{first + id_base} {last + id_base}" if first <= last else "1 0"}


def _rlimits(document: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The kernel asks for IPC_LOCK in the host's user namespace: a jail that may lock memory needs the limit lifted.

    The host's handler of crashes would take a process of its own root for one that it can look after: the limit of one
    byte is what keeps a pipe from being fed (do_coredump in fs/coredump.c).
    """
    asked = {limit: _rlimit(value) for limit, value in document["rlimits"].items()}
    if not has_user_namespace(document):
        asked.setdefault("core", (1, 1))
    if spread(document["caps"].get("allow") or {}).get("mlock"):
        most = resource.RLIM_INFINITY if truth.raises_limits() else resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        asked.setdefault("memlock", (most, most))
    return asked


def _rlimit(value: Mapping[str, Any]) -> tuple[int, int]:
    return _rlimit_value(value["soft"]), _rlimit_value(value["hard"])


def _rlimit_value(value: Any) -> int:
    return resource.RLIM_INFINITY if value == "unlimited" else int(value)
