# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .addresses import is_automatic
from .checks_wire import check_wire
from .defaults import effective
from .errors import DocumentError
from .host_paths import is_below
from .options_firewall import filters
from .place import Place
from .profiles import privileges_of

# Each is a few compares in programs that the kernel verifies when a jail starts; jumps in them reach 32,767 of those.
_MOST_HELD = 512

Check = Callable[[Mapping[str, Any], Place], Iterator[DocumentError]]

# Made by the engine in every jail, from nothing; a mount over them would undo what it masks there.
_KERNEL_DIRECTORIES = ("/proc", "/sys", "/dev")
# Where the engine keeps documents, root file systems and the pins of other jails' namespaces.
_ENGINE_DIRECTORIES = ("/etc/jails", "/var/lib/jails", "/run/jails")


def check(document: Mapping[str, Any], *, prefix: str = "") -> list[DocumentError]:
    """Everything about a canonical document that no option shows alone, in the order of the document.

    ``prefix`` is put before each path (``jails[17].``). An empty list means that the document can be planned.
    """
    place = Place(document["name"], prefix.rstrip("."))
    full = effective(document)
    return [error for each in _CHECKS for error in each(full, place)]


def _check_init(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    if document["init"] == "none" and not document["command"]:
        yield place.at("command").error("is missing", "say the command that is to be process 1, or use init: auto")
    if document["init"] != "system":
        return
    if document["command"]:
        yield place.at("command").error("init: system runs the jail's own init", "leave the command out")
    if document["user"] != "root":
        yield place.at("user").error("init: system runs as root", "leave the user out")
    if document["syslog"]:
        yield place.at("syslog").error("init: system brings a log of its own", "leave it out")


def _check_command(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    if document["command"] and not document["command"][0]:
        yield place.at("command").item(0).error("is empty", "write the program to run")


def _check_mounts(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    targets: list[str] = []
    # Its own /dev is made by the jail's root, after everything that he cannot change.
    jail_mounts = document["caps"]["profile"] == "vps"
    for index, mount in enumerate(document["mounts"]):
        where = place.at("mounts").item(index)
        yield from _check_mount_source(mount, where)
        yield from _check_mount_target(
            mount["target"], targets, where.at("target"), place.at("mounts"), jail_mounts=jail_mounts
        )
        targets.append(mount["target"])


def _check_mount_source(mount: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    source = mount.get("source")
    if mount["type"] == "tmpfs":
        if source:
            yield place.at("source").error("a tmpfs has no source", "leave it out, or use type: bind")
        return
    if "size" in mount:
        yield place.at("size").error("only a tmpfs has a size", "leave it out, or use type: tmpfs")
    if not source:
        yield place.at("source").error("is missing", "say the path on the host, or use type: tmpfs")
        return
    for directory in (*_KERNEL_DIRECTORIES, *_ENGINE_DIRECTORIES):
        if is_below(source, directory) or is_below(directory, source):
            yield place.at("source").error(
                f"{source} would show the host's {directory} to the jail", "mount a directory of your own"
            )
            return


def _check_mount_target(
    target: str, earlier: list[str], place: Place, mounts: Place, *, jail_mounts: bool
) -> Iterator[DocumentError]:
    if target == "/":
        yield place.error("the root is what rootfs is for", "mount below it")
        return
    for directory in _KERNEL_DIRECTORIES:
        if is_below(target, directory) and (target != "/dev/shm" or jail_mounts):
            yield place.error(f"{directory} is the engine's own", f"mount outside {directory}")
    for index, other in enumerate(earlier):
        if other == target:
            yield place.error(f"{target} is already the target of {mounts.item(index).path}", "mount each target once")
        elif is_below(other, target):
            yield place.error(f"would hide {mounts.item(index).path} on {other}", "put the outer mount first")


def _check_limits(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    limits = document["limits"]
    where = place.at("limits")
    if "swap" in limits and "memory" not in limits:
        # Version 1 control groups know only the sum of both (memory.memsw).
        yield where.at("swap").error("counts on top of limits.memory, which is not said", "say limits.memory")
    devices: list[str] = []
    for index, rates in enumerate(limits["io"]):
        element = where.at("io").item(index)
        if len(rates) == 1:
            yield element.error("limits nothing", "say read_bps, write_bps, read_iops or write_iops")
        if rates["device"] in devices:
            first = where.at("io").item(devices.index(rates["device"])).path
            yield element.at("device").error(f"{rates['device']} is already in {first}", "say each device once")
        devices.append(rates["device"])


def _check_sysctls(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    mode = document["ip"]["mode"]
    if mode not in ("host", "shared"):
        return
    for name in document["sysctls"]:
        if name.startswith("net."):
            yield (
                place.at("sysctls")
                .at(name)
                .error(f"with ip.mode: {mode} this is the host's own sysctl", "use ip.mode: vnet")
            )


def _check_depends(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    for index, name in enumerate(document["depends"]):
        if name == document["name"]:
            yield place.at("depends").item(index).error("a jail cannot depend on itself", "take it out of the list")


def _check_hooks(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    for index, hook in enumerate(document["hooks"]):
        where = place.at("hooks").item(index)
        if hook["where"] == "jail":
            if hook["stage"] in ("prestart", "poststop"):
                yield where.at("where").error(
                    f"the jail does not live at {hook['stage']}", "use where: host, or stage poststart or prestop"
                )
        elif not hook["command"][0].startswith("/"):
            yield (
                where.at("command")
                .item(0)
                .error("is not an absolute path", "write where the program is on the host, as in /usr/bin/logger")
            )


def _check_ip(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    ip, where = document["ip"], place.at("ip")
    mode = ip["mode"]
    if mode in ("vnet", "shared") and not ip["addresses"]:
        yield where.at("addresses").error(f"mode {mode} needs at least one address", "write 10.20.0.11/32, say")
    if is_automatic(ip["addresses"]):
        from .pools import refuse_choices

        yield from refuse_choices(ip["addresses"], where.at("addresses"))
    if mode == "shared" and len(ip["addresses"]) > _MOST_HELD:
        yield where.at("addresses").error(f"mode shared holds a jail to {_MOST_HELD} at most", "use mode: vnet")
    if mode != "shared" and ip.get("interface"):
        yield where.at("interface").error(
            f"mode {mode} puts no addresses on a link of the host's", "use mode: shared, or clear interface"
        )
    yield from check_wire(document, where)
    if mode in ("host", "shared") and ip["admin"]:
        yield where.at("admin").error(f"in mode {mode} the network is the host's", "use mode: vnet, or clear admin")
    if mode == "vnet":
        return
    for name in ("mtu", "mac", "routes") if mode == "shared" else ("addresses", "mtu", "mac", "routes"):
        if ip.get(name):
            yield where.at(name).error(
                f"mode {mode} has no interface of the jail's own", f"use mode: vnet, or clear {name}"
            )


def _check_rules(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    ip = document["ip"]
    if ip["forwards"] or ip["masquerade"] or ip["bandwidth"] or filters(ip):
        from .checks_firewall import check_rules  # Most jails have none.

        yield from check_rules(document, place)


def _check_caps(document: Mapping[str, Any], place: Place) -> Iterator[DocumentError]:
    try:
        privileges_of(document)
    except DocumentError as error:
        path = f"{place.path}.{error.path}" if place.path else error.path
        yield DocumentError(place.jail, path, error.message, error.remedy)
    if any(document["caps"][option] for option in ("devices", "masked_paths", "read_only_paths")):
        from .checks_caps import check_nodes_and_paths

        yield from check_nodes_and_paths(document, place.at("caps"))


_CHECKS: tuple[Check, ...] = (
    _check_init,
    _check_command,
    _check_mounts,
    _check_limits,
    _check_sysctls,
    _check_depends,
    _check_hooks,
    _check_ip,
    _check_rules,
    _check_caps,
)
