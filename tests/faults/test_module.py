# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible starts it: a program of its own, which strace(1) kills at its system calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.faults import machine
from ansible_collections.hosting.jails.tests.faults.tasks import NAME, run, stride, task, template, whole_jail
from ansible_collections.hosting.jails.tests.faults.world import settled, strays, world
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

HANGING = {"stage": "prestart", "where": "host", "command": ["/bin/sleep", "1000"], "timeout": 2000}
# What changes the world, as far as its name says so.
CHANGING = (
    "mount,umount2,pivot_root,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,clone,clone3,fork,vfork,"
    "unshare,open_tree,move_mount,fsopen,fsconfig,fsmount,mount_setattr,bpf,symlink,symlinkat,link,linkat,mknod,mknodat,"
    "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,setxattr,fsetxattr,truncate,ftruncate,setsid,execve,execveat,"
    "kill,pidfd_send_signal,sethostname,sendto,sendmsg,keyctl"
)
# Of the four request types for each kind of object the third asks and changes nothing (rtnetlink(7)).
_NFNL_SUBSYS_NFTABLES, _NFT_GET_TABLE = 10, 0xA01
_REQUEST = re.compile(r"nlmsg_type=(0x[0-9a-f]+|RTM_GET)")


@pytest.fixture
def before() -> list[str]:
    run(template)
    run(task("present", **whole_jail()))
    run(task("absent"))
    return world()


def module(*, check: bool = False, **parameters: Any) -> tuple[list[str], bytes]:
    """Command line and standard input of the module, with all sections in one and without Ansible."""
    # The supervisor is then one that is installed already.
    code = f"""if True:
        import json, sys
        sys.path[:0] = {[path for path in sys.path if path]!r}
        from ansible_collections.hosting.jails.plugins.module_utils._engine import converge, install
        from ansible_collections.hosting.jails.plugins.module_utils._model.planner import Wanted
        from ansible_collections.hosting.jails.tests.faults.expected import EXPECTED
        install.engine_version = lambda: {install.engine_version()!r}
        wish = json.load(sys.stdin)
        wanted = Wanted(jail={NAME!r}, state=wish.pop("state", "started"), part="jail", given=wish)
        try:
            print(json.dumps(converge.converge(wanted, apply_mode="live", check={check})))
        except EXPECTED as error:
            print(json.dumps({{"failed": True, "msg": str(error)}}))
    """
    return [sys.executable, "-B", "-c", code], json.dumps(parameters).encode()


def traced(trace: str, *options: str, **parameters: Any) -> subprocess.CompletedProcess[bytes]:
    command, arguments = module(**parameters)
    strace = ["strace", "-qq", "-y", "-o", trace, *options]
    return subprocess.run([*strace, *command], input=arguments, capture_output=True, timeout=60, check=False)


def result(completed: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    assert completed.stdout, completed.stderr.decode()[-2000:]
    return dict(json.loads(completed.stdout))


def untraced(**parameters: Any) -> dict[str, Any]:
    command, arguments = module(**parameters)
    return result(subprocess.run(command, input=arguments, capture_output=True, timeout=60, check=False))


def changes(trace: str) -> list[str]:
    """Calls of a trace that change the world."""
    found = []
    for line in Path(trace).read_text(errors="replace").splitlines():
        if re.search(r"\) += ", line) and not _is_question(line) and "= -1 E" not in line:
            found.append(line)
    return found


def _is_question(line: str) -> bool:
    request = _REQUEST.search(line)
    if request is None or request[1] == "RTM_GET":
        return request is not None
    number = int(request[1], 16)
    return number == _NFT_GET_TABLE if number >> 8 == _NFNL_SUBSYS_NFTABLES else number % 4 == 2


def test_check_mode_makes_no_system_call_that_changes_anything(before: list[str]) -> None:
    trace = "/run/check.trace"
    writing = "trace=" + CHANGING + ",openat,open,creat,write,pwrite64"
    for prepared in (None, task("present", **whole_jail()), task(**whole_jail())):
        if prepared:
            assert not run(prepared).failure
        for wish in (whole_jail(hostname="other"), {"state": "restarted"}, {"state": "absent"}, {"state": "frozen"}):
            if not prepared and "hostname" not in wish:
                continue
            completed = traced(trace, "-f", "-e", writing, check=True, **wish)
            assert result(completed).get("changed"), completed.stdout
            found = [line for line in changes(trace) if not is_harmless(line)]
            assert found == []
    os.unlink(trace)
    assert not run(task("absent")).failure
    assert settled(before) == []


def is_harmless(line: str) -> bool:
    """The start of the program, reading, its own output and pipes, and questions: about programs of the kernel, and
    whether the supervisor is there."""
    if "execve(" in line:
        return sys.executable in line or "python" in line
    if re.search(r"\bopen(at)?\(", line):
        return not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", line) or "/dev/null" in line
    if re.search(r"\bp?write(64)?\(", line):
        return bool(re.search(r"write\([012]<|<pipe:|<socket:", line))
    if re.search(r"\bsendto\(", line):
        return r'"{\"do\": \"ping\"}"' in line
    return bool(re.search(r"\bbpf\(BPF_(PROG_QUERY|PROG_GET_FD_BY_ID|OBJ_GET_INFO_BY_FD),", line))


@pytest.mark.parametrize("role", ["start", "absent"])
def test_a_module_that_strace_kills_is_completed_by_the_next(before: list[str], role: str) -> None:
    start = {"state": "started", **whole_jail()}
    wish = start if role == "start" else {"state": "absent"}
    trace = "/run/kill.trace"
    if role == "absent":
        assert untraced(**start)["changed"]
    clean = traced(trace, "-e", "trace=" + CHANGING, **wish)
    assert result(clean).get("changed"), clean.stdout
    total = len(changes(trace))
    os.unlink(trace)
    untraced(state="absent")
    for moment in range(2, total + 1, stride(10)):
        if role == "absent":
            assert untraced(**start)["changed"], moment
        inject = f"inject={CHANGING}:signal=KILL:when={moment}"
        traced("/dev/null", "-e", "trace=" + CHANGING, "-e", inject, **wish)
        assert strays() == [], moment
        again = untraced(**wish)
        assert not again.get("failed"), (moment, again)
        assert not untraced(**wish)["changed"], moment
        assert not untraced(state="absent").get("failed"), moment
        assert settled(before) == [], moment


def _sleeps(pid: int) -> bool:
    """Whether a process waits for something (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE])
def test_a_task_whose_connection_is_lost_is_completed_by_the_next(before: list[str], number: int) -> None:
    slow = whole_jail(hooks=[HANGING])
    command, arguments = module(state="started", **slow)
    started = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL) and None,
    )
    assert started.stdin
    started.stdin.write(arguments)
    started.stdin.close()
    wait_until(lambda: any("sleep 1000" in text for text in machine.processes().values()), what="the hook")
    # Not sooner: Python loses an exception of its own that an interrupt raises right after a fork.
    wait_until(lambda: _sleeps(started.pid), what="the module to wait for it")
    os.killpg(started.pid, number)
    if number == signal.SIGPIPE:
        # Python ignores it.
        started.kill()
    started.wait(PATIENCE)
    assert strays() == []
    assert not untraced(state="started", **whole_jail(hooks=[])).get("failed")
    assert not untraced(state="absent").get("failed")
    assert settled(before) == []
