# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads inventories as ansible-inventory would, in a process that has nothing of a test's own imports in it.

usage: reader.py COLLECTIONS_PATH. A line on standard input is a JSON object with ``sources``, ``environment``,
``extra_vars``, ``cache`` and ``templates`` ({host: [template...]}); the answer is a line as well. Each is read by a
fork of its own, so that a hundred of them pay for Ansible's imports once.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def read(request):
    """What ansible-inventory would have found."""
    from ansible import context
    from ansible.inventory.manager import InventoryManager
    from ansible.module_utils.common.collections import ImmutableDict
    from ansible.parsing.dataloader import DataLoader
    from ansible.utils.display import Display

    context.CLIARGS = ImmutableDict(extra_vars=tuple(json.dumps(found) for found in request.get("extra_vars", [])))
    said = []
    Display.warning = lambda self, msg, *args, **kwargs: said.append(str(msg))
    Display.error_as_warning = lambda self, msg, exception, **kwargs: said.append(f"{msg or ''} {exception}")
    # InventoryManager parses in its constructor, with ``cache`` left out as ansible-inventory --flush-cache does not.
    manager = InventoryManager(loader=DataLoader(), sources=request["sources"], cache=request.get("cache", True))
    return {
        "hosts": {name: own(host) for name, host in manager.hosts.items()},
        "groups": {name: sorted(host.name for host in group.get_hosts()) for name, group in manager.groups.items()},
        "parents": {
            name: sorted(parent.name for parent in group.parent_groups) for name, group in manager.groups.items()
        },
        "group_vars": {name: dict(group.vars) for name, group in manager.groups.items()},
        "templated": {
            name: templated(manager.hosts[name], found) for name, found in request.get("templates", {}).items()
        },
        "warnings": said,
    }


def own(host):
    """The variables of a host itself, without those that core gives to every host."""
    extra = ("inventory_file", "inventory_dir", "inventory_hostname", "inventory_hostname_short", "group_names")
    return {name: value for name, value in host.vars.items() if name not in extra}


def templated(host, templates):
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    try:
        from ansible.template import trust_as_template
    except ImportError:
        trust_as_template = str
    templar = Templar(loader=DataLoader(), variables=host.get_vars())
    return [templar.template(trust_as_template(text)) for text in templates]


def _import_what_is_needed():
    """Once for all forks."""
    import ansible.inventory.manager
    import ansible.playbook.play_context
    import ansible.template  # noqa: F401
    from ansible.plugins.loader import become_loader, cache_loader, connection_loader, inventory_loader

    inventory_loader.get("hosting.jails.jails")
    for name in ("auto", "host_list", "ini", "yaml"):
        inventory_loader.get(name)
    for name in ("ssh", "local"):
        connection_loader.get(name, class_only=True)
    become_loader.get("sudo", class_only=True)
    for name in ("memory", "ansible.builtin.jsonfile"):
        cache_loader.get(name, class_only=True)


def serve():
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([sys.argv[1]])
    _import_what_is_needed()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        if os.fork() == 0:
            request = json.loads(line)
            os.environ.update(request.get("environment", {}))
            try:
                answer = read(request)
            except Exception:
                answer = {"broken": traceback.format_exc()}
            answers.write(json.dumps(answer, default=str) + "\n")
            answers.flush()
            os._exit(0)
        os.wait()


if __name__ == "__main__":
    serve()
