# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jail
short_description: Run tasks in jails, on this machine or over SSH
version_added: 1.0.0
author:
  - The hosting.jails contributors (@hosting-jails)
description:
  - Runs the commands of tasks in a jail, with C(jailctl exec) on the jail's host. The jail needs no SSH server and no
    address, and for M(ansible.builtin.raw) no Python.
  - The host is reached by SSH with all options of P(ansible.builtin.ssh#connection), or not at all where it is this
    very machine.
  - Files are written and read by C(cat) in the jail. No path of the jail is ever looked up on the host, so that nothing
    that somebody in the jail does to its files, directories and links can lead a transfer out of it.
  - C(become) works in the jail. The user who logs in on the host, and how that user becomes root there, are other
    matters, see O(remote_user) and O(host_become_command).
  - The jails of a host share SSH connections (C(ControlPersist)), the first of them with tasks on the host itself.
extends_documentation_fragment:
  - hosting.jails._ssh
  - connection_pipelining
requirements:
  - the engine of this collection on the jail's host, see M(hosting.jails.jail_engine)
  - C(/bin/sh) and C(cat) in the jail
notes:
  - A command that ends with status 255 in the jail is a failed command. It is not taken for a failed SSH connection.
  - The streams of a command are pipes. There is no terminal, on the host or in the jail, so O(use_tty) has no effect,
    nor have O(ssh_transfer_method) and the options for C(sftp) and C(scp).
  - Tasks that run at the same time in many jails of one host are spread over as many SSH connections as
    O(host_sessions) asks for, which are opened one after the other. So any number of forks gets along with the
    C(MaxSessions) and C(MaxStartups) of an ordinary C(sshd_config).
options:
  host:
    description:
      - The host of the jail.
      - V(localhost), V(127.0.0.1) and V(::1) are this machine, unless there is a O(port), see O(host_connection).
    default: localhost
    type: string
    vars:
      - name: ansible_host
      - name: ansible_ssh_host
      - name: ansible_jail_host
  host_connection:
    description: How the host is reached.
    default: auto
    type: string
    choices:
      auto: V(local) if O(host) is this machine and there is no O(port), otherwise V(ssh).
      local: Commands are run on this machine.
      ssh: Commands are run over SSH.
    vars:
      - name: ansible_jail_host_connection
  host_become_command:
    description:
      - What turns a command into one of the host's root. It must not ask for anything.
      - It is used only where the user who runs commands on the host is not root already. Empty, it never is.
    default: sudo -n
    type: string
    vars:
      - name: ansible_jail_host_become_command
  host_sessions:
    description:
      - How many commands at a time share one SSH connection, when many run in jails of one host.
      - Stay below C(MaxSessions) in C(sshd_config) of the host, which is 10 where nobody has set it.
    default: 8
    type: integer
    vars:
      - name: ansible_jail_host_sessions
  remote_user:
    description:
      - The user who logs in on the host, by SSH. If there is none, C(ssh) chooses.
      - The user in the jail is O(jail_user).
  jail_name:
    description: The name of the jail. By default that of the host in the inventory.
    type: string
    vars:
      - name: inventory_hostname
      - name: ansible_jail_name
  jail_user:
    description: The user who runs tasks in the jail, before any C(become). One of its C(/etc/passwd), or a number.
    default: root
    type: string
    vars:
      - name: ansible_jail_user
  when_stopped:
    description: What to do with a jail that does not run.
    default: fail
    type: string
    choices:
      fail: The jail counts as unreachable.
      enter: >-
        Each command is run alone with the jail's root file system and mounts, with its limits and privileges, without a
        network. Whatever it leaves running ends with it, so C(async) does not work, and services cannot be started.
        Nobody can start, change or remove the jail meanwhile.
    vars:
      - name: ansible_jail_when_stopped
  jailctl_executable:
    description: Path of C(jailctl) on the host.
    default: /usr/local/sbin/jailctl
    type: string
    vars:
      - name: ansible_jailctl_executable
seealso:
  - module: hosting.jails.jail
  - plugin: ansible.builtin.ssh
    plugin_type: connection
"""

EXAMPLES = r"""
# An inventory with two jails of a host that is reached by SSH, and one of this machine.
all:
  children:
    jails:
      vars:
        ansible_connection: hosting.jails.jail
        ansible_python_interpreter: /usr/bin/python3
      hosts:
        web1:
          ansible_host: node1.example.org
        db1:
          ansible_host: node1.example.org
          ansible_user: deploy          # logs in on node1, and becomes root there by sudo
          ansible_jail_user: postgres   # runs the tasks in the jail
        build.example.org:
          ansible_jail_name: build      # on this machine, as there is no ansible_host
"""

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase, ssh
from ansible.utils.display import Display
from ansible.utils.path import makedirs_safe, unfrackpath

from ..module_utils._model.errors import DocumentError
from ..module_utils._model.names import jail_name
from ..plugin_utils._jailctl import Call, explain, read_answer
from ..plugin_utils._ssh_sessions import take_seat

display = Display()

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
# Whatever a file is to become, nobody else may read it before that.
_WRITE = ("/bin/sh", "-c", 'umask 077; exec cat >"$1"', "sh")
_READ = ("/bin/sh", "-c", 'exec cat <"$1"', "sh")


class Connection(ssh.Connection):  # type: ignore[misc]
    """Commands and files go through jailctl on the jail's host; core's plugin takes jailctl's command line there.

    Where that host is this machine, the same line is run by a shell instead of by ssh.
    """

    transport = "hosting.jails.jail"
    has_pipelining = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._report = secrets.token_hex(8)
        self._logging_in = False
        self._master = 0

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Take back what core has put among the variables of a host to which a task is delegated.

        ``inventory_hostname`` is the host of the task there, and ``ansible_host`` the name of the other one if it has
        none, which for us is the name of the jail.
        """
        delegate = (task_keys or {}).get("delegate_to")
        if delegate and var_options:
            found = var_options.items()
            var_options = {name: value for name, value in found if (name, value) != ("ansible_host", delegate)}
            var_options["inventory_hostname"] = delegate
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        """See AnsiblePlugin.

        To all but ssh the remote user is who runs the tasks: Ansible asks whether that is the user to become. ssh keeps
        its first connection where core's plugin keeps it as well, for tasks on the host itself, and others elsewhere.
        """
        if option == "remote_user" and not self._logging_in:
            option = "jail_user"
        if option == "control_path" and self._master:
            return self._create_control_path(self.host, self.get_option("port"), self._login(), self._master)
        return super().get_option(option, hostvars=hostvars)

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a line of shell in the jail; AnsibleConnectionFailure where it could not be run."""
        ConnectionBase.exec_command(self, cmd, in_data=in_data, sudoable=sudoable)
        call = self._call()
        display.vvv(f"EXEC IN JAIL {call.jail} AS {call.user}: {to_text(cmd)}", host=self.host)
        asks = bool(sudoable and self.become and self.become.expect_prompt())
        line = call.line(["/bin/sh", "-c", to_text(cmd)], reads=bool(in_data) or asks)
        with self._session():
            return self._answer(call, self._run(self._command(line), in_data, sudoable=sudoable))

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a file of ours to a path in the jail; one that is new there is readable for its owner alone."""
        ConnectionBase.put_file(self, in_path, out_path)
        call = self._call()
        display.vvv(f"PUT {to_text(in_path)} TO {to_text(out_path)} IN JAIL {call.jail}", host=self.host)
        if not os.path.exists(to_bytes(in_path, errors="surrogate_or_strict")):
            raise AnsibleFileNotFound(f"file or module does not exist: {to_native(in_path)}")
        line = call.line([*_WRITE, to_text(out_path)], reads=True)
        self._transfer(call, line, b'exec "$@" <"$0"', in_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Write what is in a file of the jail to a path of ours."""
        ConnectionBase.fetch_file(self, in_path, out_path)
        call = self._call()
        display.vvv(f"FETCH {to_text(in_path)} TO {to_text(out_path)} FROM JAIL {call.jail}", host=self.host)
        line = call.line([*_READ, to_text(in_path)], reads=False)
        try:
            self._transfer(call, line, b'exec "$@" >"$0"', out_path)
        except AnsibleError:
            # Half a file, or an empty one, is worse than none.
            with contextlib.suppress(OSError):
                os.unlink(to_bytes(out_path, errors="surrogate_or_strict"))
            raise

    def reset(self) -> None:
        """Let go of the connections to the host, which other jails of that host may have to open again."""
        self.host = self.get_option("host")
        for self._master in itertools.count():
            if self._is_local() or (self._master and not os.path.exists(self._socket())):
                break
            super().reset()
        self._master = 0

    def _call(self) -> Call:
        self.host = self.get_option("host")
        try:
            name = jail_name(self.get_option("jail_name"), path="ansible_jail_name")
        except DocumentError as error:
            raise AnsibleError(f"{error}; say which jail this host of the inventory is") from error
        return Call(
            jail=name,
            user=str(self.get_option("jail_user")),
            report=self._report,
            jailctl=self.get_option("jailctl_executable"),
            host_become_command="" if self._is_root() else self.get_option("host_become_command") or "",
            stopped=self.get_option("when_stopped") == "enter",
        )

    def _is_root(self) -> bool:
        """Whether it is known beforehand that commands on the host are root's."""
        return os.geteuid() == 0 if self._is_local() else self._login() == "root"

    def _login(self) -> Any:
        return super().get_option("remote_user")

    def _is_local(self) -> bool:
        way = self.get_option("host_connection")
        if way != "auto":
            return bool(way == "local")
        return self.get_option("host") in _THIS_MACHINE and self.get_option("port") is None

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """A session on one of the SSH connections that the jails of a host share, for the length of a block."""
        self._master = 0
        if self._is_local() or not self._shares_connections():
            yield
            return
        makedirs_safe(unfrackpath(self.get_option("control_path_dir")), 0o700)
        with take_seat(f"{self._socket()}.seats") as seat:
            self._master = seat.number // max(1, self.get_option("host_sessions"))
            seat.open_in_turn(
                lambda: os.path.exists(self._socket()),
                lambda: self._run(self._command("true"), None, sudoable=False, checkrc=False),
            )
            yield

    def _shares_connections(self) -> bool:
        """Whether core's plugin has ssh keep a connection for others, at a path that it chooses."""
        options = (self.get_option(name) or "" for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"))
        arguments = [to_bytes(word) for option in options for word in self._split_ssh_args(option)]
        return self._persistence_controls(arguments) == (True, False) and not self.get_option("control_path")

    def _socket(self) -> str:
        """Where ssh is told to keep the connection that we use."""
        path = self.get_option("control_path")
        path = path or self._create_control_path(self.host, self.get_option("port"), self._login())
        return str(path % {"directory": unfrackpath(self.get_option("control_path_dir"))})

    def _command(self, line: str) -> list[bytes]:
        """The command that has a shell on the host run a line."""
        program = self.get_option("ssh_executable")
        if self._is_local():
            # The last word is for core, who looks for it to know whether somebody may ask for a password.
            return [b"/bin/sh", b"-c", to_bytes(line), b"sh", to_bytes(program)]
        # No terminal, whatever the user's configuration says: it would change the bytes that pass.
        command: list[bytes] = self._build_command(program, "ssh", "-T", self.host, line)
        return command

    def _build_command(self, binary: str, subsystem: str, *other_args: bytes | str) -> list[bytes]:
        self._logging_in = True
        try:
            command: list[bytes] = super()._build_command(binary, subsystem, *other_args)
        finally:
            self._logging_in = False
        return command

    def _is_tty_requested(self) -> bool:
        return False

    def _transfer(self, call: Call, line: str, redirect: bytes, path: str) -> None:
        """Run a line with a file of ours as its input or output: however large it is, it does not come by us."""
        with self._session():
            command = self._command(line)
            # In front of ssh, but behind the sshpass of older releases of core, which is to see ssh's questions.
            at = command.index(to_bytes(self.get_option("ssh_executable"))) if command[0] == b"sshpass" else 0
            command[at:at] = [b"/bin/sh", b"-c", redirect, to_bytes(path, errors="surrogate_or_strict")]
            status, _unused, errors = self._answer(call, self._run(command, None, sudoable=False, checkrc=False))
        if status != 0:
            raise AnsibleError(f"jail {call.jail}: {to_native(errors).strip() or f'cat ended with status {status}'}")

    def _answer(self, call: Call, result: tuple[int, bytes, bytes]) -> tuple[int, bytes, bytes]:
        """What the command has done, or AnsibleConnectionFailure where there was none."""
        code, output, errors = result
        ended = read_answer(call.report, errors)
        if ended is None:
            said = explain(call, code, to_text(errors + output if code else errors))
            raise AnsibleConnectionFailure(f"jail {call.jail} on {self.host}: {said}")
        return ended.status, output, ended.errors
