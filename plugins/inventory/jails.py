# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: jails
short_description: The jails of many hosts
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Asks jail hosts for their jails, all at once, with one command each, and makes every jail a host of the inventory.
  - The configuration is a YAML file called C(jails.yml) or C(jails.yaml), or whose name ends with C(.jails.yml) or
    C(.jails.yaml).
  - A host is asked through Ansible's own connection plugins, so whatever a play can reach with the same variables and
    the same C(ansible.cfg) can be asked as well. Nothing is ever asked of the user; passwords that C(--ask-pass) and
    C(--ask-become-pass) prompt for come too late for an inventory.
  - Nothing that a jail or its host says is ever taken for a template, or for the name of a host that is there already.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [hosting.jails.jails]
  hosts:
    description:
      - Jail hosts to ask, as names or as dictionaries.
      - V(localhost) without an C(address) is asked without SSH.
    type: list
    elements: raw
    default: []
    suboptions:
      name:
        description: What its jails call it, in RV(ignore:jail_host). It may hold a range, as C(node[01:20]).
        type: str
        required: true
      address:
        description: Its address. Without it, its name.
        type: str
      port:
        description: Port of its SSH server.
        type: int
      user:
        description: User to log in as.
        type: str
      private_key_file:
        description: File on the controller with the key to log in with.
        type: path
      ssh_args:
        description: More arguments of C(ssh), as C(ansible_ssh_common_args) has them.
        type: str
      connection:
        description: Connection plugin. V(local) is this machine, V(ssh) the usual one.
        type: str
      become:
        description:
          - Whether to become root by a become plugin, as C(ansible_become) says.
          - Without it, C(sudo -n) is used where the user is not root.
        type: bool
      vars:
        description: Other variables of Ansible for the connection, for example C(ansible_become_password).
        type: dict
  hosts_from:
    description:
      - Hosts and groups of inventory sources that are read before this file. Those hosts are asked as well.
      - The name may have the wildcards V(*) and V(?). One that begins with V(!) takes hosts out again.
      - They are reached as a play would reach them, by their own variables, C(group_vars) and C(host_vars).
    type: list
    elements: str
    default: []
  jailctl:
    description: Path of C(jailctl) on the hosts.
    type: str
    default: /usr/local/sbin/jailctl
  timeout:
    description: Seconds that one host may take from first to last.
    type: float
    default: 15
  parallel:
    description: How many hosts are asked at the same time.
    type: int
    default: 20
  failed_hosts:
    description:
      - What to do about a host that cannot be reached, or does not answer as a jail host does. Its jails are missing.
      - With V(fail) none of the source's jails is there. Whether Ansible goes on with other sources is its option
        C(any_unparsed_is_failed) in the section C([inventory]).
    type: str
    choices: [warn, fail, ignore]
    default: warn
  connect:
    description:
      - How plays reach a jail.
      - With V(jail), through its host, by P(hosting.jails.jail#connection), with the variables of its host.
      - With V(ssh), by its first address, as a host like any other. No variable of its host counts.
      - With V(none), as you say by O(compose) or C(group_vars).
    type: str
    choices: [jail, ssh, none]
    default: jail
  hostnames:
    description:
      - Expressions for the name of a jail in the inventory, in order of preference. They see the variables of the jail.
      - The first one counts that yields a name which no other jail of this source has as well. Jails that want the
        same name all go on to their next one, so no name is ever that of one jail now and of another later.
      - A jail that is left without a name is left out, with a warning, or an error if O(strict=true).
    type: list
    elements: str
    default: [jail_name, "jail_name ~ '.' ~ jail_host"]
  merge:
    description:
      - Whether a jail may be a host that an earlier source has put into the inventory. It then has variables of both.
      - Otherwise such a jail is left out with a warning. Else whoever controls one jail host could turn plays for
        another host to himself, by the name of a jail.
      - The jail hosts themselves, groups, and V(localhost) are never replaced.
    type: bool
    default: false
  states:
    description: Only jails in one of these states.
    type: list
    elements: str
    choices: [running, frozen, stopped, failed, stuck]
    default: [running, frozen, stopped, failed, stuck]
  filters:
    description:
      - Rules of one entry each, C(include) or C(exclude), with an expression that sees the variables of the jail.
      - The first rule whose expression is true decides. A jail that no rule decides about is there.
      - An expression that cannot be evaluated is false, or an error if O(strict=true).
    type: list
    elements: dict
    default: []
    suboptions:
      include:
        description: An expression. Exactly one of O(filters[].include) and O(filters[].exclude) is there.
        type: str
      exclude:
        description: An expression.
        type: str
  group:
    description: A group for all jails of this source. Empty for none.
    type: str
    default: jails
  group_by:
    description:
      - Groups of jails that have something in common, for example C(jail_host_node1) and C(jail_state_running).
      - O(keyed_groups) makes others, for example of labels.
    type: list
    elements: str
    choices: [host, state, fleet, profile, template, ip_mode]
    default: []
seealso:
  - plugin: hosting.jails.jail
    plugin_type: connection
  - module: hosting.jails.jail_info
notes:
  - The variables of a jail are in C(docs/inventory.md).
"""

EXAMPLES = r"""
# The jails of this machine: localhost.jails.yml
---
plugin: hosting.jails.jails
hosts: [localhost]

# Hosts that no other inventory knows. Ranges are those of Ansible's inventories.
---
plugin: hosting.jails.jails
hosts:
  - name: node[01:20].example.org
    user: operator
  - name: lab
    address: 192.0.2.7
    port: 2222
    user: root
    private_key_file: ~/.ssh/lab
    ssh_args: -o ProxyJump=gate.example.org
timeout: 10

# Hosts of an inventory that is read before: ansible-playbook -i hosts.yml -i fleet.jails.yml site.yml
---
plugin: hosting.jails.jails
hosts_from: [jail_hosts, "!node13*"]
states: [running]
group_by: [host, fleet]
keyed_groups:
  - key: jail_labels.customer
    prefix: customer
compose:
  ansible_python_interpreter: "'/usr/bin/python3'"
groups:
  busy: jail_restarts > 3

# Only the customer acme, under names that say where a jail is.
---
plugin: hosting.jails.jails
hosts_from: [jail_hosts]
hostnames:
  - jail_name ~ '.' ~ jail_host
filters:
  - exclude: jail_template == 'builder'
  - include: jail_labels.customer == 'acme'
  - exclude: "true"
strict: false

# What hosts have said is kept for ten minutes. A host that did not answer is asked again by the next run.
---
plugin: hosting.jails.jails
hosts_from: [jail_hosts]
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible/jails
cache_timeout: 600
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ..plugin_utils._inventory_answers import Answer, Answers
from ..plugin_utils._inventory_connect import can_carry, host_variables, jail_variables
from ..plugin_utils._inventory_hosts import BadHosts, JailHost, known, listed
from ..plugin_utils._inventory_names import assign, is_host_name
from ..plugin_utils._inventory_options import BadOption, check_options, is_true
from ..plugin_utils._inventory_rows import excerpt, variables


class _Jail(NamedTuple):
    variables: dict[str, Any]
    connection: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.variables['jail_name']} of {self.variables['jail_host']}"


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """See DOCUMENTATION."""

    NAME = "hosting.jails.jails"

    def verify_file(self, path: str) -> bool:
        """Whether a file is one of ours by its name."""
        name = os.path.basename(path)
        ours = name in ("jails.yml", "jails.yaml") or name.endswith((".jails.yml", ".jails.yaml"))
        return ours and bool(super().verify_file(path))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Put the jails of all hosts into the inventory. AnsibleParserError, which names the file, for a bad one."""
        super().parse(inventory, loader, path, cache)
        try:
            check_options(self._read_config_data(path), self._load_name)
            hosts = self._hosts()
            answers = Answers(self, path).collect(hosts, use_cache=cache)
            self._report(answers)
            self._add(self._named([jail for answer in answers for jail in self._jails(answer)], hosts))
        except (BadHosts, BadOption, AnsibleError) as error:
            raise AnsibleParserError(f"{path}: {error}") from error

    def _hosts(self) -> list[JailHost]:
        hosts = [*listed(self.get_option("hosts"))]
        hosts += known(self.get_option("hosts_from"), self.inventory, self.loader, extra=self._vars)
        if not hosts and not self.get_option("hosts_from"):
            raise BadHosts("hosts: there is no host to ask; list some in hosts, or name a group in hosts_from")
        names = [host.name for host in hosts]
        for name in names:
            if names.count(name) > 1:
                raise BadHosts(f"hosts: {name} is there twice; name each host once")
        return hosts

    def _report(self, answers: list[Answer]) -> None:
        """Say which hosts have failed, in the way that is wanted."""
        failed = [f"{answer.host.name}: {excerpt(answer.error, longest=400)}" for answer in answers if answer.error]
        if failed and self.get_option("failed_hosts") == "fail":
            raise AnsibleParserError("; ".join(failed))
        for text in failed:
            if self.get_option("failed_hosts") == "warn":
                self.display.warning(f"No jails of {text}")
            else:
                self.display.vvv(f"No jails of {text}")
        for answer in answers:
            if self.get_option("connect") == "jail" and answer.way and not can_carry(answer.way):
                how = f"{answer.host.name} itself is reached by {answer.way.connection}, not by SSH"
                self.display.warning(f"Plays cannot reach the jails of {answer.host.name}: {how}")

    def _jails(self, answer: Answer) -> Iterator[_Jail]:
        """The jails of one host that the options let pass."""
        connect, states = self.get_option("connect"), (*self.get_option("states"), "unknown")
        of_host = host_variables(answer.host, answer.way, jailctl=self.get_option("jailctl")) if answer.way else {}
        for row in answer.rows:
            found = variables(row, host=answer.host.name)
            if row["state"] in states and self._passes(found):
                yield _Jail(found, jail_variables(found, of_host, connect=connect))

    def _passes(self, found: dict[str, Any]) -> bool:
        for number, rule in enumerate(self.get_option("filters")):
            verdict, expression = next(iter(rule.items()))
            if is_true(self._evaluate(expression, found, place=f"filters[{number}].{verdict}")):
                return bool(verdict == "include")
        return True

    def _evaluate(self, expression: str | bool, found: dict[str, Any], *, place: str) -> Any:
        """The value of an expression of the configuration; None if it has none and that is no error.

        Most expressions are the name of a variable, and core compiles an expression anew each time, in a millisecond.
        """
        if isinstance(expression, bool):
            return expression
        if expression in found and not self.get_option("use_extra_vars"):
            return found[expression]
        try:
            return self._compose(expression, found)
        except Exception as error:
            if not self.get_option("strict"):
                return None
            jail = f"{found['jail_name']} of {found['jail_host']}"
            raise BadOption(f"{place}: {expression!r} cannot be evaluated for jail {jail}: {error}") from error

    def _named(self, jails: list[_Jail], hosts: list[JailHost]) -> dict[str, _Jail]:
        """The jails by their names in the inventory."""
        reserved = {host.name for host in hosts} | {*C.LOCALHOST, *self.inventory.groups, *self._own_groups()}
        if not self.get_option("merge"):
            reserved |= set(self.inventory.hosts)
        names = assign([self._candidates(jail.variables, reserved) for jail in jails])
        found: dict[str, _Jail] = {}
        for jail, name in zip(jails, names):
            if name is None:
                self._refuse(jail, reserved)
            else:
                found[name] = jail
        return found

    def _own_groups(self) -> Iterator[str]:
        yield self.get_option("group")
        for name in self.get_option("groups") or ():
            yield self._sanitize_group_name(name)

    def _candidates(self, found: dict[str, Any], reserved: set[str]) -> Iterator[str]:
        """The names that a jail may have, best first."""
        for number, expression in enumerate(self.get_option("hostnames")):
            value = self._evaluate(expression, found, place=f"hostnames[{number}]")
            if value not in (None, "") and is_host_name(str(value)) and str(value) not in reserved:
                yield str(value)

    def _refuse(self, jail: _Jail, reserved: set[str]) -> None:
        wanted = [*self._candidates(jail.variables, set())]
        taken = [name for name in wanted if name in reserved]
        if taken:
            reason = f"{taken[0]} is already in the inventory"
        elif wanted:
            reason = f"another jail wants to be {wanted[-1]} as well"
        else:
            reason = "hostnames yield nothing that a host can be called"
        message = f"Jail {jail} is left out: {reason}"
        if self.get_option("strict"):
            raise AnsibleParserError(message)
        self.display.warning(message)

    def _add(self, jails: Mapping[str, _Jail]) -> None:
        """Hosts and variables first, then groups by the configuration's names, then groups by names that jails give.

        The inventory takes a name for that of a group before it takes it for that of a host: a label must not be able
        to make a group of a jail's name before that jail has all its variables.
        """
        strict = self.get_option("strict")
        for name, jail in jails.items():
            self.inventory.add_host(name)
            for variable, value in {**jail.connection, **jail.variables}.items():
                self.inventory.set_variable(name, variable, value)
        for name, jail in jails.items():
            self._set_composite_vars(self.get_option("compose"), jail.variables, name, strict=strict)
        for name, jail in jails.items():
            self._add_to_group(self.get_option("group"), name)
            self._add_host_to_composed_groups(self.get_option("groups"), jail.variables, name, strict=strict)
        for name, jail in jails.items():
            for key in self.get_option("group_by"):
                value = jail.variables[f"jail_{key}"]
                self._add_to_group(f"jail_{key}_{value}" if value else "", name)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), jail.variables, name, strict=strict)

    def _add_to_group(self, group: str, host: str) -> None:
        if group:
            self.inventory.add_host(host, self.inventory.add_group(self._sanitize_group_name(group)))
