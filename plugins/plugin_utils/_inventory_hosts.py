# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.inventory.helpers import get_group_vars
from ansible.plugins.inventory import detect_range, expand_hostname_range
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ._inventory_names import is_host_name

# Where Ansible's own variable for it is called otherwise than an option of the entry.
_VARIABLES = {
    "address": "ansible_host",
    "port": "ansible_port",
    "user": "ansible_user",
    "private_key_file": "ansible_ssh_private_key_file",
    "ssh_args": "ansible_ssh_common_args",
    "connection": "ansible_connection",
    "become": "ansible_become",
}
_KEYS = ("name", *_VARIABLES, "vars")


class BadHosts(ValueError):
    """The configuration says something that is no jail host; it begins with the place in the file."""


class JailHost(NamedTuple):
    """A host to ask: what it is called, and the variables that Ansible would reach it by, templates and all."""

    name: str
    variables: dict[str, Any]


def listed(entries: Any) -> Iterator[JailHost]:
    """The hosts of the option ``hosts``; BadHosts for the first entry that is none."""
    if not isinstance(entries, list):
        raise BadHosts(f"hosts: {entries!r} is not a list; write each host as '- name: NAME', or as '- NAME'")
    for number, entry in enumerate(entries):
        yield from _entry(entry, place=f"hosts[{number}]")


def _entry(entry: Any, *, place: str) -> Iterator[JailHost]:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, Mapping):
        raise BadHosts(f"{place}: {entry!r} is not a host; write its name, or options of which one is its name")
    for key in entry:
        if key not in _KEYS:
            raise BadHosts(f"{place}.{key}: there is no such option; use {', '.join(_KEYS)}")
    said = {key: value for key, value in entry.items() if value is not None}
    for key, value in said.items():
        check, rule = _CHECKS[key]
        if not check(value):
            raise BadHosts(f"{place}.{key}: {value!r} is not right; write {rule}")
    if "name" not in said:
        raise BadHosts(f"{place}: it has no name; write name: and what its jails shall call it")
    names = _names(said["name"], place=f"{place}.name")
    if len(names) > 1 and "address" in said:
        raise BadHosts(
            f"{place}.address: {len(names)} hosts cannot have one address; leave it out, or list them one by one"
        )
    for name in names:
        yield JailHost(name, _entry_variables(name, said))


def _names(text: str, *, place: str) -> list[str]:
    try:
        names = expand_hostname_range(text) if detect_range(text) else [text]
    except (AnsibleError, ValueError):
        names = []
    if not names:
        raise BadHosts(f"{place}: {text!r} is not a range; write for example node[01:20].example.org")
    for name in names:
        if not is_host_name(name) and name not in C.LOCALHOST:
            raise BadHosts(f"{place}: {name!r} is not a name; use letters, digits and . _ - @ +")
    return names


def _entry_variables(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    found = {variable: said[key] for key, variable in _VARIABLES.items() if key in said}
    # As Ansible treats the localhost that nobody has put into an inventory.
    local = {"ansible_connection": "local"} if name in C.LOCALHOST and "address" not in said else {}
    return {"inventory_hostname": name, **local, **found, **said.get("vars", {})}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def _is_variables(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and name.isidentifier() for name in value)


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a name"),
    "address": (_is_text, "an address or a name that can be looked up"),
    "port": (_is_port, "a number from 1 to 65535"),
    "user": (_is_text, "the name of a user"),
    "private_key_file": (_is_text, "a path"),
    "ssh_args": (_is_text, "arguments of ssh in one text"),
    "connection": (_is_text, "the name of a connection plugin, for example ssh or local"),
    "become": (lambda value: isinstance(value, bool), "true or false"),
    "vars": (_is_variables, "variables and their values"),
}


def known(patterns: Any, inventory: Any, loader: Any, *, extra: Mapping[str, Any]) -> Iterator[JailHost]:
    """The hosts of earlier inventory sources that match; ``extra`` are the variables of the command line.

    A pattern is the name of a host or a group, with wildcards; one that begins with ``!`` takes hosts out again.
    BadHosts for one that matches nothing.
    """
    if not isinstance(patterns, list) or not all(_is_text(pattern) for pattern in patterns):
        raise BadHosts(f"hosts_from: {patterns!r} is not a list of names of hosts and groups")
    chosen: dict[str, None] = {}
    for number, pattern in enumerate(patterns):
        found = _matching(pattern.lstrip("!"), inventory)
        if found is None:
            raise BadHosts(
                f"hosts_from[{number}]: no source before this file has a host or group {pattern!r};"
                " name that source first, with an -i of its own or by an earlier file name in the same directory"
            )
        for name in found:
            if pattern.startswith("!"):
                chosen.pop(name, None)
            else:
                chosen[name] = None
    sources = getattr(inventory, "processed_sources", [])
    for name in chosen:
        yield JailHost(name, combine_vars(_host_variables(inventory.hosts[name], inventory, loader, sources), extra))


def _matching(pattern: str, inventory: Any) -> list[str] | None:
    """Names of hosts; None if neither a host nor a group is called so."""
    if pattern == "all":
        # Not every group is a child of it before the last source has been read.
        return list(inventory.hosts)
    hosts = [name for name in inventory.hosts if fnmatchcase(name, pattern)]
    groups = [group for name, group in inventory.groups.items() if fnmatchcase(name, pattern)]
    members = [host.name for group in groups for host in group.get_hosts()]
    return list(dict.fromkeys(hosts + members)) if hosts or groups else None


def _host_variables(host: Any, inventory: Any, loader: Any, sources: list[str]) -> dict[str, Any]:
    groups = list({id(group): group for group in (inventory.groups["all"], *host.get_groups())}.values())
    layers = (
        get_group_vars(groups),
        get_vars_from_inventory_sources(loader, sources, groups, "all"),
        host.get_vars(),
        get_vars_from_inventory_sources(loader, sources, [host], "all"),
    )
    found: dict[str, Any] = {}
    for layer in layers:
        found = combine_vars(found, layer)
    return found
