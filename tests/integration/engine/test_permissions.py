# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FreeBSD's permissions, each tried from inside a jail: given and taken away."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jail

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

ADDRESSES = {"mode": "vnet", "addresses": ["10.23.90.1/32"]}
RAW_SOCKET = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)"
LOW_PORT = "import socket; socket.socket().bind(('10.23.90.1', 80))"
OTHER_FAMILY = "import socket; socket.socket(21, 5)"  # AF_RDS
PTRACE_TRACEME = 0
TRACED = f"import ctypes; raise SystemExit(ctypes.CDLL(None).ptrace({PTRACE_TRACEME}, 0, 0, 0) != 0)"
LOCKED = "import ctypes; raise SystemExit(ctypes.CDLL(None).mlock(ctypes.create_string_buffer(65536), 65536) != 0)"


def permitted(allow: dict[str, bool], **document: Any) -> Any:
    return jail("eng-allow", caps={"allow": allow}, ip=ADDRESSES, **document)


def python(it: Jail, program: str) -> subprocess.CompletedProcess[str]:
    return it.run("python3", "-c", program)


def shell(it: Jail, script: str) -> subprocess.CompletedProcess[str]:
    return it.run("sh", "-c", script)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_host_name_can_be_changed_where_that_is_allowed(allowed: bool) -> None:
    with permitted({"set_hostname": allowed}) as it:
        done = shell(it, "hostname other && hostname")
        assert (done.returncode == 0, done.stdout) == (allowed, "other\n" if allowed else "")


@pytest.mark.parametrize("allowed", [True, False])
def test_file_systems_can_be_mounted_where_that_is_allowed(allowed: bool) -> None:
    with permitted({"mount.tmpfs": allowed}) as it:
        assert (shell(it, "mount -t tmpfs none /mnt && touch /mnt/x").returncode == 0) is allowed


def test_who_may_mount_cannot_take_off_what_the_engine_has_mounted() -> None:
    with permitted({"mount": True}) as it:
        for script in (
            "umount /proc/keys || umount -l /proc/keys",
            "umount -l /proc",
            "mount -o remount,bind,rw /proc/sys",
            "mount -t proc none /mnt",
            "mount -t sysfs none /mnt",
            "mount -t cgroup2 none /mnt && echo 0 > /mnt/../cgroup.procs",
        ):
            assert shell(it, script).returncode != 0, script
        assert shell(it, "test -s /proc/keys").returncode != 0


def test_who_may_mount_or_name_the_host_may_not_do_the_rest_of_what_sys_admin_can() -> None:
    with permitted({"mount": True, "set_hostname": True}) as it:
        for script in ("unshare -m true", "unshare -U true", "unshare -n true", "nsenter -t 1 -m true"):
            assert shell(it, script).returncode != 0, script


def test_a_profile_brings_no_permission_that_nothing_would_confine() -> None:
    """FreeBSD's may change the host name, which takes SYS_ADMIN: without our filter that would be all of it."""
    with jail("eng-allow", caps={"profile": "freebsd", "seccomp": "none"}, ip=ADDRESSES) as it:
        for script in ("hostname other", "mount -t tmpfs none /mnt", "unshare -m true"):
            assert shell(it, script).returncode != 0, script


@pytest.mark.parametrize("allowed", [True, False])
def test_raw_sockets_can_be_opened_where_that_is_allowed(allowed: bool) -> None:
    with permitted({"raw_sockets": allowed}) as it:
        assert (python(it, RAW_SOCKET).returncode == 0) is allowed
        assert shell(it, "ip address add 10.23.90.2/32 dev eth0").returncode != 0


@pytest.mark.parametrize("allowed", [True, False])
def test_low_ports_can_be_bound_where_that_is_allowed(allowed: bool) -> None:
    with permitted({"reserved_ports": allowed}) as it:
        assert (python(it, LOW_PORT).returncode == 0) is allowed


@pytest.mark.parametrize(
    ("family", "script"), [("sysvshm", "ipcmk -M 4096"), ("sysvsem", "ipcmk -S 1"), ("sysvmsg", "ipcmk -Q")]
)
def test_each_family_of_system_v_ipc_can_be_taken_away(family: str, script: str) -> None:
    with permitted({"sysvipc": True, family: False}) as it:
        assert "not implemented" in shell(it, script).stderr
        others = {"ipcmk -M 4096", "ipcmk -S 1", "ipcmk -Q"} - {script}
        assert all(shell(it, other).returncode == 0 for other in others)


def test_without_a_superuser_root_is_a_user_like_any_other() -> None:
    with permitted({"suser": False}) as it:
        assert shell(it, "grep -h ^Cap /proc/self/status | sort -u -k 2 | wc -l").stdout == "1\n"
        assert shell(it, "chown 33 /tmp").returncode != 0
        assert shell(it, "install -m 0 /dev/null /root/mine && cat /root/mine").returncode != 0


def test_nobody_is_traced_where_debugging_is_taken_away() -> None:
    with permitted({"unprivileged_proc_debug": False}) as it:
        assert python(it, TRACED).returncode == 1
    with permitted({}) as it:
        assert python(it, TRACED).returncode == 0


def test_memory_can_be_locked_where_that_is_allowed() -> None:
    with permitted({"mlock": True}) as it:
        assert python(it, LOCKED).returncode == 0
    with permitted({"mlock": False}) as it:
        assert python(it, LOCKED).returncode != 0


@pytest.mark.parametrize("allowed", [True, False])
def test_families_that_have_no_namespace_stay_closed(allowed: bool) -> None:
    with permitted({"socket_af": allowed}) as it:
        for family in (38, 40):
            done = python(it, f"import socket; socket.socket({family}, 1)")
            assert "Address family not supported" in done.stderr
        text = python(it, OTHER_FAMILY).stderr
        assert "Address family not supported" in text or allowed


def test_a_strict_jail_that_would_be_weaker_than_asked_for_is_not_even_defined() -> None:
    with permitted({}) as it:
        with pytest.raises(EngineError, match="caps.strict: allow settime is unavailable on this host"):
            it.converge(caps={"allow": {"settime": True}, "strict": True})
        assert "settime" not in str(it.describe("document"))


PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
}


def test_a_profile_of_another_tool_is_obeyed_from_a_file_and_from_the_document(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(PROFILE))
    for filter in (str(path), PROFILE):
        with jail("eng-allow", caps={"seccomp": filter}) as it:
            assert "No space left on device" in shell(it, "mkdir /tmp/x").stderr
            assert shell(it, "touch /tmp/x").returncode == 0


def test_a_profile_that_cannot_be_read_changes_nothing() -> None:
    with permitted({}) as it:
        before = it.describe("document")
        with pytest.raises(EngineError, match=r"caps.seccomp.syscalls\[0\].action"):
            it.converge(caps={"seccomp": {**PROFILE, "syscalls": [{"names": ["mkdir"], "action": "NO"}]}})
        with pytest.raises(EngineError, match="'/no/such.json' does not exist"):
            it.converge(caps={"seccomp": "/no/such.json"})
        assert it.describe("document") == before


def test_the_strict_filter_lets_a_service_run_and_nobody_look_into_it() -> None:
    with jail("eng-allow", caps={"seccomp": "strict"}) as it:
        assert shell(it, "echo $(cat /etc/hostname | wc -l)").returncode == 0
        assert python(it, TRACED).returncode == 1
