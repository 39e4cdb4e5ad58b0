# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ._engine_at_host import accepted, command_line, log_text, own_engine, read_result, task_input


class ActionAtHost(ActionBase):  # type: ignore[misc]  # ansible-core has no types to inherit
    """Has the engine that a host has carry out a task; the module of the same name is sent where that cannot be.

    A host that has no engine, or another one, costs a question. Nobody is asked for a job (async), which runs for
    itself, nor where somebody wants to see the module: its files, or what it says of itself while it runs.
    """

    MODULE: ClassVar[str]

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = merge_hash(super().run(tmp, task_vars), self.act(task_vars or {}))
        return result

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The result of the task."""
        return self.carry_out(accepted(self.MODULE, self._task.args), variables)

    def carry_out(self, parameters: Mapping[str, Any] | None, variables: dict[str, Any]) -> dict[str, Any]:
        """The result of the module; ``parameters`` are None where it is to be sent."""
        answer = None
        if parameters is not None and not self._task.async_val and not _somebody_looks():
            answer = self._answer_of_host(parameters, variables)
        wrap_async = self._task.async_val and not self._connection.has_native_async
        result: dict[str, Any] = answer or self._execute_module(task_vars=variables, wrap_async=wrap_async)
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def log_text(self, parameters: Mapping[str, Any]) -> str:
        """What the host's log is told of a task."""
        return log_text(parameters)

    def _answer_of_host(self, parameters: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the engine that the host has makes of the task; None where that is another one than ours, or none."""
        engine, log = own_engine(), self._log_entry(parameters, variables)
        sent = task_input(self.MODULE, parameters, check=self._task.check_mode, with_diff=self._task.diff, log=log)
        line = f"{self._compute_environment_string()} {command_line(engine)}".strip()
        if self._takes_input():
            ended = self._low_level_execute_command(line, in_data=sent.encode())
        else:
            ended = self._low_level_execute_command(f"{line} <{shlex.quote(self._file_on_host(sent))}")
        return read_result(engine, ended)

    def _log_entry(self, parameters: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str] | None:
        if self._task.no_log or C.config.get_config_value("DEFAULT_NO_TARGET_SYSLOG", variables=variables):
            return None
        told = [C.config.get_config_value("TARGET_LOG_INFO", variables=variables), self.log_text(parameters)]
        return {
            "program": f"ansible-{self._task.action}",
            "facility": variables.get("ansible_syslog_facility", C.DEFAULT_SYSLOG_FACILITY),
            "text": " ".join(part for part in told if part),
        }

    def _takes_input(self) -> bool:
        """Whether a command can read what we write: with become only where the operator says so (``pipelining``), as
        sudo may insist on a terminal."""
        if not self._connection.has_pipelining:
            return False
        return not self._connection.become or self._is_pipelining_enabled("new")

    def _file_on_host(self, content: str) -> str:
        """The path of a file for whoever carries out the task, in the directory that is removed with it."""
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        path: str = shell.join_path(shell.tmpdir, "task.json")
        self._transfer_data(path, content)
        self._fixup_perms2([shell.tmpdir, path], execute=False)
        return path


def _somebody_looks() -> bool:
    # The last is of ansible-core 2.19 and later.
    traced = set(getattr(C, "DISPLAY_TRACEBACK", ())) - {"never"}
    return bool(C.DEFAULT_KEEP_REMOTE_FILES or C.DEFAULT_DEBUG or traced)
