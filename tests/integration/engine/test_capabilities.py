# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each capability is worth in a jail that keeps it: what the truth report says, and what happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jail

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

KEPT = """
    CHECKPOINT_RESTORE DAC_READ_SEARCH IPC_LOCK IPC_OWNER NET_ADMIN NET_BROADCAST SYS_ADMIN SYS_BOOT SYS_CHROOT
    SYS_NICE SYS_PTRACE SYS_RESOURCE
""".split()
# What it takes to try.
NEEDED = ["CHOWN", "KILL", "SETUID"]
# Each by what capabilities(7) says of it, and without harm where it works.
ATTEMPTS = """
import ctypes, errno, json, os, resource, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *arguments):
    done = getattr(libc, name)(*arguments)
    if done == -1:
        raise OSError(ctypes.get_errno(), name)
    return done

def write(path, data):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, data)
    os.close(fd)

def as_another(function):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setresuid(1, 1, 1)
        os.write(writer, str(function()).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reader, 20))

def on_another(function):
    with subprocess.Popen(["sleep", "600"], preexec_fn=lambda: os.setresuid(1, 1, 1)) as other:
        try:
            return function(other.pid)
        finally:
            other.kill()

def file_of_another():
    path = "/tmp/of-another"
    open(path, "w").close()
    os.chmod(path, 0o600)
    os.chown(path, 1, 1)
    return path

def by_handle():
    handle = (ctypes.c_uint * 40)(128)
    call("name_to_handle_at", -100, b"/dev/shm", handle, ctypes.byref(ctypes.c_int()), 0)
    call("open_by_handle_at", os.open("/dev/shm", os.O_RDONLY), handle, 0)

def remove_memory():
    call("shmctl", as_another(lambda: call("shmget", 0, 4096, 0o1600)), 0, None)

def lock_memory():
    number = as_another(lambda: call("shmget", 0, 4096, 0o1666))
    call("shmctl", number, 11, None)

ATTEMPTS = {
    "CHECKPOINT_RESTORE": lambda: write("/proc/sys/kernel/ns_last_pid", b"5000"),
    "DAC_READ_SEARCH": lambda: open(file_of_another()).close(),
    "DAC_READ_SEARCH by handle": by_handle,
    "IPC_LOCK": lock_memory,
    "IPC_LOCK by mlock": lambda: call("mlock", ctypes.create_string_buffer(64 << 20), 64 << 20),
    "IPC_OWNER": remove_memory,
    "NET_ADMIN": lambda: socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1),
    "NET_ADMIN by force": lambda: socket.socket().setsockopt(socket.SOL_SOCKET, 33, 1 << 24),
    "NET_BROADCAST": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).setsockopt(270, 8, 1),
    "SYS_ADMIN": lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "SYS_ADMIN of attributes": lambda: os.setxattr("/tmp", "trusted.x", b"1"),
    "SYS_ADMIN of swap": lambda: call("swapon", b"/etc/passwd", 0),
    "SYS_BOOT": lambda: call("syscall", {"x86_64": 169, "aarch64": 142}[os.uname().machine], 1, 2, 3, None),
    "SYS_CHROOT": lambda: subprocess.run(["true"], preexec_fn=lambda: os.chroot("/"), check=True),
    "SYS_NICE": lambda: on_another(lambda pid: os.sched_setaffinity(pid, os.sched_getaffinity(0))),
    "SYS_NICE upwards": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "SYS_PTRACE": lambda: on_another(lambda pid: call("ptrace", 0x4206, pid, 0, 0)),
    "SYS_RESOURCE": lambda: on_another(lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, 20))),
    "SYS_RESOURCE upwards": lambda: write("/proc/self/oom_score_adj", b"-5"),
}
worked = []
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        worked.append(name)
    except (OSError, subprocess.SubprocessError) as error:
        # reboot(2) looks at its magic numbers after it has looked at who calls.
        if name == "SYS_BOOT" and getattr(error, "errno", None) == errno.EINVAL:
            worked.append(name)
print(json.dumps(worked))
"""
EVERYWHERE = {"DAC_READ_SEARCH", "NET_ADMIN", "NET_BROADCAST", "SYS_ADMIN", "SYS_CHROOT", "SYS_NICE", "SYS_PTRACE"}
EVERYWHERE |= {"SYS_RESOURCE"}
IN_A_VPS = {"CHECKPOINT_RESTORE", "IPC_LOCK", "IPC_OWNER", "SYS_BOOT"}


def worked_in(it: Jail) -> set[str]:
    return set(json.loads(it.output("python3", "-c", ATTEMPTS)))


def reported(it: Jail) -> dict[str, str]:
    lines = it.describe("privileges")["privileges"]["report"]
    return {line["item"].split()[1]: line["verdict"] for line in lines if line["item"].startswith("capability ")}


@pytest.mark.parametrize("seccomp", ["default", "none"])
@pytest.mark.parametrize("profile", ["none", "vps"])
def test_a_kept_capability_does_what_is_reported(profile: str, seccomp: str) -> None:
    """Where it is unavailable nothing works, where it is partial the part that is said, also by the kernel alone."""
    caps: dict[str, Any] = {"profile": profile, "keep": [*NEEDED, *KEPT], "seccomp": seccomp}
    with jail("eng-kept", caps=caps, ip={"mode": "vnet", "addresses": ["10.23.91.1/32"]}) as it:
        worked, verdicts = worked_in(it), reported(it)
        assert worked == (EVERYWHERE | IN_A_VPS if profile == "vps" else EVERYWHERE)
        assert {name for name, verdict in verdicts.items() if verdict == "unavailable"} == set(KEPT) - worked


def test_without_these_nothing_of_it_works() -> None:
    with jail("eng-kept", caps={"profile": "none", "keep": NEEDED, "seccomp": "none"}) as it:
        assert worked_in(it) == set()


def test_an_app_jail_that_keeps_sys_boot_goes_on_when_it_is_to_reboot() -> None:
    with jail("eng-kept", caps={"keep": ["SYS_BOOT"]}) as it:
        assert reported(it)["SYS_BOOT"] == "unavailable"
        done = it.run("reboot", "-ff")
        assert (done.returncode == 0, it.state) == (False, "running")
