# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible.errors import AnsibleError
from ansible.playbook.task import Task
from ansible.plugins.loader import lookup_loader
from ansible.utils.display import Display

# What the documents of a task are made from.
ARGUMENTS = ("fleet", "defaults", "jails")


@dataclass(frozen=True)
class Call:
    """What a task is given on one host of its play; ``target`` is the host that it works on, by delegate_to."""

    host: str
    target: str
    arguments: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """Equal for calls that ask for the same."""
        text = json.dumps([self.target, self.arguments], sort_keys=True, default=str)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def own_call(task: Task, host: str) -> Call:
    """What a task, whose arguments core has templated, is given on the host that it runs for."""
    return Call(host, task.delegate_to or host, plain_arguments(task.args))


def has_documents(arguments: Mapping[str, Any]) -> bool:
    """Whether a task brings its documents along; one that carries out a plan finds them on the host."""
    return bool(arguments.get("mode") != "apply")


def plain_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that documents are made from, as plain Python objects without core's tags, proxies and vaults."""
    return {name: plain(arguments[name]) for name in ARGUMENTS if arguments.get(name) is not None}


def documents_of(call: Call) -> dict[str, Any]:
    """The arguments that hold documents."""
    return {name: value for name, value in call.arguments.items() if name != "fleet"}


class OtherHosts:
    """Reads ahead what a task will be given on the other hosts of its play.

    Core templates a task for one host at a time, each in a process of its own. This loads the task once more as it is
    written, and templates it with the variables of each host in turn, as core is going to do: loop, when, delegate_to,
    args and module_defaults. Variables that a host gets only later, as from earlier tasks of the play in a batch that
    is yet to come, are not there; a host that cannot be read for that reason is left out.

    Core has no public interface for this. What is used of its inside is the same from 2.18 to 2.21, but for what
    _finalised() and _applies() tell apart.
    """

    def __init__(self, task: Task, templar: Any, loader: Any, variables: Mapping[str, Any]) -> None:
        hostvars = variables["hostvars"]
        self._manager, self._inventory = hostvars._variable_manager, hostvars._inventory
        self._templar, self._loader = templar, loader
        self._task = Task.load(
            task.get_ds(), block=task._parent, role=task._role, variable_manager=self._manager, loader=loader
        )

    def calls(self, hosts: Iterable[str], known: Mapping[str, Call]) -> Iterator[Call]:
        """The calls of those hosts that the task will run for, several for a loop; some may be known already."""
        for name in hosts:
            try:
                yield from [known[name]] if name in known else self._calls_of(name)
            except AnsibleError as error:
                Display().vvv(f"jail_fleet: the arguments of host {name} cannot be known yet: {error}")

    def _calls_of(self, name: str) -> Iterator[Call]:
        host = self._inventory.get_host(name)
        base = self._manager.get_vars(play=self._task.play, host=host, task=self._task)
        for variables in self._iterations(base):
            templar = self._templar.copy_with_new_env(available_variables=variables)
            if not _applies(self._task, templar, variables):
                continue
            arguments = _finalised(self._task, templar)
            if has_documents(arguments):
                target = templar.template(self._task.delegate_to) if self._task.delegate_to else name
                yield Call(name, target, plain_arguments(arguments))

    def _iterations(self, variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
        loop = self._task.loop
        if loop is None:
            yield variables
            return
        templar = self._templar.copy_with_new_env(available_variables=variables)
        items = templar.template(loop)
        if self._task.loop_with:
            terms = items if isinstance(items, list) else [items]
            lookup = lookup_loader.get(self._task.loop_with, loader=self._loader, templar=templar)
            items = lookup.run(terms, variables=variables, wantlist=True)
        control = self._task.loop_control
        for index, item in enumerate(items):
            iteration = {**variables, templar.template(control.loop_var): item}
            if control.index_var:
                iteration[templar.template(control.index_var)] = index
            yield iteration


def _applies(task: Task, templar: Any, variables: dict[str, Any]) -> bool:
    if hasattr(templar, "evaluate_conditional"):  # ansible-core 2.19
        return all(templar.evaluate_conditional(condition) for condition in task.when)
    return bool(task.evaluate_conditional(templar, variables))


def _finalised(task: Task, templar: Any) -> Any:
    """The arguments as an action gets them: templated, with module_defaults, without what is omitted."""
    copy = task.copy(exclude_parent=True, exclude_tasks=True)
    copy._parent = task._parent
    if hasattr(copy, "post_validate_attribute"):  # ansible-core 2.19
        return copy.post_validate_attribute("args", templar=templar._engine)
    from ansible.executor.module_common import get_action_args_with_defaults
    from ansible.executor.task_executor import remove_omit

    arguments = copy._post_validate_args("args", copy.args, templar)
    groups = task.play._action_groups
    arguments = get_action_args_with_defaults(
        task.resolved_action, arguments, task.module_defaults, templar, action_groups=groups
    )
    return remove_omit(arguments, templar.available_variables.get("omit"))


def plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    return int(value) if isinstance(value, int) else str(value)
