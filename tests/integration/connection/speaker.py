# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that does what it is told to by way of a connection plugin: lines of JSON in, lines of JSON out.

The plugin is loaded as Ansible loads it, in a process of its own, with the variables of the first line.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader


def _connection(variables: dict[str, Any]) -> Any:
    context = PlayContext()
    context.remote_addr = variables["inventory_hostname"]
    connection = connection_loader.get("hosting.jails.jail", context, task_uuid="", ansible_playbook_pid="")
    connection.set_options(task_keys={}, var_options=variables)
    return connection


def _do(connection: Any, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "exec":
        data = base64.b64decode(request["input"]) or None
        status, output, errors = connection.exec_command(request["command"], in_data=data, sudoable=False)
        return {"status": status, "output": _text(output), "errors": _text(errors)}
    if request["do"] == "memory":
        return {"kibibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    getattr(connection, request["do"])(*request["arguments"])
    return {}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main() -> None:
    """Answer each request with what came of it, or with the exception."""
    init_plugin_loader()
    connection = _connection(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        try:
            answer = _do(connection, json.loads(line))
        except AnsibleError as error:
            answer = {"raised": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
