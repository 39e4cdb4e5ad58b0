# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader
from ansible.template import Templar

from ._inventory_rows import BadAnswer, excerpt, parse_answer

_NOT_FOUND = 127

# Beside the variables of the plugins that we use.
_OF_CORE = ("ansible_connection", "ansible_become", "ansible_become_method", "ansible_shell_type")

# sudo(8) without a question where the user is not root already, and nothing where he is: his name does not tell.
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec {0}; else exec sudo -n {0}; fi'


class Reach(NamedTuple):
    """How a host is reached: the name of a connection plugin, of a become plugin ("" for none), and variables.

    ``variables`` holds every variable of the host that one of the plugins knows, templated. ``asks_sudo`` is whether
    the command itself becomes root where it has to, as nobody has said how.
    """

    connection: str
    become: str
    asks_sudo: bool
    variables: dict[str, Any]


def reach(variables: Mapping[str, Any], loader: Any) -> Reach:
    """Find out how Ansible would reach a host. AnsibleError where a variable cannot be templated, or a plugin found."""
    templar = Templar(loader=loader, variables=dict(variables))
    found = _templated(variables, _OF_CORE, templar)
    connection = _plugin("connection", str(found.get("ansible_connection") or C.DEFAULT_TRANSPORT))
    wanted = found.get("ansible_become")
    become = ""
    if wanted is not None and boolean(wanted, strict=False):
        become = _plugin("become", str(found.get("ansible_become_method") or C.DEFAULT_BECOME_METHOD))
    names = ["inventory_hostname", *C.config.get_plugin_vars("connection", connection)]
    names += C.config.get_plugin_vars("shell", "sh")
    if become:
        names += C.config.get_plugin_vars("become", become)
    return Reach(connection, become, wanted is None, {**found, **_templated(variables, names, templar)})


def _plugin(kind: str, name: str) -> str:
    """The name under which the options of a plugin are known; loading its class makes them known."""
    loader = {"connection": connection_loader, "become": become_loader}[kind]
    plugin = loader.get("ssh" if name == "smart" else name, class_only=True)
    if plugin is None:
        raise AnsibleError(f"there is no {kind} plugin {name!r}")
    return str(plugin._load_name)


def _templated(variables: Mapping[str, Any], names: Any, templar: Templar) -> dict[str, Any]:
    found = {}
    for name in names:
        if name in variables:
            try:
                found[name] = templar.template(variables[name])
            except AnsibleError as error:
                raise AnsibleError(f"{name}: {excerpt(str(error))}") from error
    return found


def ask(way: Reach, *, jailctl: str) -> list[dict[str, Any]]:
    """Run ``jailctl list --json`` on a host; the rows of its answer.

    AnsibleError or BadAnswer where there is none. It takes as long as the host likes: it is for a process of its own.
    """
    connection = _connect(way)
    query = f"{shlex.quote(jailctl)} list --json"
    script = _AS_ROOT.format(query) if way.asks_sudo else f"exec {query}"
    command = f"/bin/sh -c {shlex.quote(script)}"
    if connection.become:
        command = connection.become.build_become_command(command, connection._shell)
    # With something to send, the ssh plugin asks for no terminal on the other side, which would rewrite the answer.
    data = b"\n" if connection.has_pipelining else None
    status, output, errors = connection.exec_command(command, in_data=data, sudoable=True)
    if status == 0:
        return parse_answer(output)
    raise BadAnswer(_complaint(status, output + b"\n" + errors, jailctl=jailctl))


def _complaint(status: int, output: bytes, *, jailctl: str) -> str:
    text = excerpt(output.decode("utf-8", "replace"))
    if status == _NOT_FOUND or "command not found" in text:
        return f"it has no {jailctl}, so it is no jail host yet; the role hosting.jails.host makes it one ({text})"
    return f"{jailctl} ended with status {status}: {text or 'it said nothing'}"


def _connect(way: Reach) -> Any:
    """A connection of Ansible with all its options, as a task would get it."""
    context = PlayContext()
    context.connection = way.connection
    context.remote_addr = str(way.variables.get("ansible_host", way.variables["inventory_hostname"]))
    # Plugins of before ansible-core 2.19 insist on the argument.
    connection = connection_loader.get(way.connection, context, new_stdin=None)
    _set_options(connection, "connection", way.variables)
    _set_options(connection._shell, "shell", way.variables)
    if way.become:
        become = become_loader.get(way.become)
        _set_options(become, "become", way.variables)
        connection.set_become_plugin(become)
    return connection


def _set_options(plugin: Any, kind: str, variables: Mapping[str, Any]) -> None:
    names = C.config.get_plugin_vars(kind, plugin._load_name)
    plugin.set_options(var_options={name: variables[name] for name in names if name in variables})
