# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole distribution as a jail: its own init boots it, its root may mount, and the host is still out of reach."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE, Jail, jail, processes_of, wait_until

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def system(template: str, nothing_left: None) -> Iterator[Jail]:
    with jail("eng-sys", init="system", ip={"mode": "vnet", "addresses": ["10.23.0.61/32"]}) as it:
        wait_until(lambda: booted(it) in ("running", "degraded"))
        yield it


def booted(it: Jail) -> str:
    return str(it.run("systemctl", "is-system-running").stdout).strip()


def test_systemd_boots_to_running(system: Jail) -> None:
    failed = system.run("systemctl", "--failed", "--no-legend", "--plain").stdout
    assert (booted(system), failed) == ("running", "")
    assert system.output("cat", "/proc/1/comm") == "systemd\n"


def test_services_can_be_started_and_stopped(system: Jail) -> None:
    system.script("systemctl start nginx; systemctl is-active nginx")
    assert "nginx" in system.output("ps", "-eo", "comm")
    system.script("systemctl stop nginx")
    assert "nginx" not in system.output("ps", "-eo", "comm")


def test_an_entered_command_lives_in_the_jails_own_control_group(system: Jail) -> None:
    for pid in processes_of("eng-sys"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            assert "/jails/eng-sys" in Path(f"/proc/{pid}/cgroup").read_text()
    assert "eng-sys" not in system.output("cat", "/proc/self/cgroup")


def test_its_root_may_mount_a_tmpfs_and_bind(system: Jail) -> None:
    system.script(
        "mount -t tmpfs none /mnt; echo x > /mnt/x; mkdir -p /media/y; mount --bind /mnt /media/y; cat /media/y/x;"
        " umount /media/y /mnt"
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "mount /dev/vda /mnt",
        "mknod /root/disk b 254 0",
        "mount -t devtmpfs none /mnt",
        "mount -t ext4 /dev/zero /mnt",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo x > /proc/sysrq-trigger",
        "echo 0 > /proc/sys/kernel/panic",
        "echo 1 > /proc/sys/kernel/core_pattern",
        "mount -o remount,rw /sys && echo x > /sys/kernel/mm/transparent_hugepage/enabled",
        "echo +1 > /sys/fs/cgroup/pids.max",
        "echo 1 > /sys/fs/cgroup/../cgroup.procs && test -e /sys/fs/cgroup/../jails",
        "date -s 2001-01-01",
        "swapon /dev/zero",
        "dmesg",
        "nsenter -t 1 -m -- test -e /etc/jails",
    ],
)
def test_its_root_cannot_touch_the_host(system: Jail, attempt: str) -> None:
    assert system.run("sh", "-c", attempt).returncode != 0


def test_root_is_nobody_outside(system: Jail) -> None:
    for pid in processes_of("eng-sys"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f"/proc/{pid}/status").read_text()
            assert int(text.partition("Uid:")[2].split()[0]) >= 524288


def test_it_stops_by_its_own_shutdown() -> None:
    with jail("eng-sys2", init="system", stop={"timeout": 600}) as it:
        wait_until(lambda: booted(it) in ("running", "degraded"))
        unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sh -c 'date > /root/stopped'\n"
        it.script("printf '%s' \"$1\" > /etc/systemd/system/note.service; systemctl start note".replace("$1", unit))
        started = time.monotonic()
        it.converge(state="stopped")
        assert time.monotonic() - started < PATIENCE
        assert it.state == "stopped"
        assert Path("/var/lib/jails/roots/eng-sys2/upper/root/stopped").exists()
        assert not it.cgroup.exists()


def test_it_boots_again_on_its_own_files_and_as_another_boot() -> None:
    with jail("eng-sys2", init="system") as it:
        wait_until(lambda: booted(it) in ("running", "degraded"))
        identity, boot = it.output("cat", "/etc/machine-id"), it.output("cat", BOOT_ID)
        assert len(identity.strip()) == 32
        it.converge(state="restarted")
        wait_until(lambda: booted(it) in ("running", "degraded"))
        assert it.output("cat", "/etc/machine-id") == identity
        boots = {boot, it.output("cat", BOOT_ID), Path(BOOT_ID).read_text()}
        assert sorted(map(len, boots)) == [37, 37, 37]
        assert it.run("sh", "-c", f"echo x > {BOOT_ID}").returncode != 0
        assert os.stat(f"/proc/{it.pid}").st_uid >= 524288


def test_a_volume_over_its_run_has_to_be_its_roots_and_serves_the_next_boot_as_well(tmp_path: Path) -> None:
    """An earlier boot has left there what the engine puts there."""
    tmp_path.chmod(0o755)
    volume = {"source": str(tmp_path), "target": "/run"}
    with jail("eng-sys3", state="stopped", init="system", mounts=[volume], stop={"timeout": 1}) as it:
        with pytest.raises(EngineError, match="jail eng-sys3: mounts: .*cannot be given its units in /run.* denied"):
            it.converge(state="started")
        base = it.describe()["uid_base"]
        os.chown(tmp_path, base, base)
        for _boot in (1, 2):
            it.converge(state="started")
            assert it.output("readlink", "/run/systemd/system/console-getty.service") == "/dev/null\n"
            it.converge(state="stopped")
