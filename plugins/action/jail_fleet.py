# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.utils.display import Display

from ..module_utils._model.fleet_options import FLEET_NEEDS, FLEET_SPEC
from ..module_utils._model.place import some
from ..plugin_utils._action_at_host import ActionAtHost
from ..plugin_utils._fleet_calls import Call, OtherHosts, documents_of, has_documents, own_call, plain
from ..plugin_utils._fleet_documents import names_of
from ..plugin_utils._fleet_verdict import Fault, Verdict

_MOST_SHOWN = 20
_MOST_RETURNED = 100


class ActionModule(ActionAtHost):
    """Judges the documents of all hosts of the play on the controller, then runs the module of the same name."""

    MODULE = "jail_fleet"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        parameters = _accepted(self._task.args)
        if not has_documents(self._task.args):
            return self.carry_out(None, variables)
        own = own_call(self._task, variables["inventory_hostname"])
        faults = self._faults(own, variables)
        if faults:
            return _failure(faults, own.host)
        if parameters["mode"] == "validate":
            self._task.async_val = 0  # There is no job to wait for.
            return _validated(own)
        # The module expands a path, on the host.
        known = {**parameters, **documents_of(own)} if parameters["mode"] == "converge" else None
        return self.carry_out(known, variables)

    def _faults(self, own: Call, variables: Mapping[str, Any]) -> list[Fault]:
        alone = self._task.loop is None

        def foresee() -> list[Call]:
            hosts = [own.host] if self._task.run_once else variables["ansible_play_hosts_all"]
            try:
                others = OtherHosts(self._task, self._templar, self._loader, variables)
                return list(others.calls(hosts, {own.host: own} if alone else {}))
            except Exception as error:
                # The inside of a core to come may look different: that must not keep anybody's jails from being run.
                Display().warning(
                    f"jail_fleet: other hosts' documents are not checked before the first change: {error}"
                )
                return [own]

        # The directory is the run's own, made by the process that all workers are forked from, and removed at its end.
        verdict = Verdict(os.path.join(C.DEFAULT_LOCAL_TMP, f"jail_fleet-{self._task._uuid}"))
        try:
            return verdict.faults(own, foresee, alone=alone)
        except ImportError as error:
            raise AnsibleActionFail(_missing_library(error)) from error

    def log_text(self, parameters: Mapping[str, Any]) -> str:
        """Without the documents."""
        brief = {name: value for name, value in parameters.items() if name not in ("jails", "defaults")}
        return f"{super().log_text(brief)} and {len(parameters['jails'])} entries"


def _accepted(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the module, with empty lists for documents: those are ours to judge, and we say where a
    mistake is. Fails as the module does."""
    documents: dict[str, Any] = {"jails": [], "defaults": {}}
    parameters = {name: documents.get(name, value) for name, value in arguments.items() if value is not None}
    result = ArgumentSpecValidator(FLEET_SPEC, required_if=FLEET_NEEDS).validate(parameters)
    if result.error_messages:
        unknown = "Unsupported parameters: " if isinstance(result.errors[0], UnsupportedError) else ""
        raise AnsibleActionFail(f"{unknown}{result.errors.msg}")
    accepted: dict[str, Any] = plain(result.validated_parameters)
    return accepted


def _failure(faults: Sequence[Fault], host: str) -> dict[str, Any]:
    """The result of a host: its own faults in full, as each of the others says its own."""
    own = [fault for fault in faults if fault.host == host]
    told = own or faults
    lines = [f"- {fault.line()}" for fault in told[:_MOST_SHOWN]]
    if len(told) > _MOST_SHOWN:
        lines.append(f"- and {len(told) - _MOST_SHOWN} more")
    others = sorted({fault.host for fault in faults} - {host})
    if own and others:
        lines.append(f"- and {len(faults) - len(own)} of other hosts: {some(others)}")
    count = "A mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
    return {
        "failed": True,
        "changed": False,
        "msg": "\n".join([f"{count} in the jails of this play, which were left as they are:", *lines]),
        "errors": [
            {"host": fault.host, "jail": fault.jail, "path": fault.path, "msg": fault.text(), "remedy": fault.remedy}
            for fault in told[:_MOST_RETURNED]
        ],
    }


def _validated(call: Call) -> dict[str, Any]:
    rows = [{"name": name, "changed": False, "failed": False} for name in names_of(call.arguments)]
    summary = {"total": len(rows), "changed": 0, "failed": 0, "restart_required": 0, "purged": 0}
    return {"changed": False, "jails": rows, "summary": summary}


def _missing_library(error: ImportError) -> str:
    return (
        f"The documents of jails are checked on the controller, and its Python ({sys.executable}) has not all that this"
        f" takes: {error}. Install it there, as with: {sys.executable} -m pip install jsonschema"
    )
