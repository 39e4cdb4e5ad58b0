# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that the other tests of this directory stand on are hosts, and leave nothing of themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import rtnetlink
from ansible_collections.hosting.jails.tests.hosts import access, control_groups, places, power, segment, sets
from ansible_collections.hosting.jails.tests.hosts.host import Host
from ansible_collections.hosting.jails.tests.integration import jails


def _ssh(host: Host, command: str, *, user: str = "root") -> subprocess.CompletedProcess[str]:
    line = ["ssh", "-F", str(access.ssh_config(host.prefix)), "-l", user, host.name, command]
    return subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=30)


def _traces(prefix: str) -> list[str]:
    """Everything on this machine that bears the prefix of a set."""
    group = control_groups.group(places.control_group(prefix))
    paths = [places.directory(prefix), places.runtime(prefix), *map(Path, group.directories)]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{prefix}" in line]
    return [str(path) for path in paths if path.exists()] + mounts


def _links() -> list[str]:
    with rtnetlink.Reader() as reader:
        return sorted(link.name for link in reader.links())


def test_a_host_is_a_whole_system(hosts: list[Host]) -> None:
    assert hosts[0].run("systemctl", "is-system-running", "--wait").stdout == "running\n"
    assert hosts[0].run("cat", "/proc/1/comm").stdout == "systemd\n"
    assert hosts[0].run("hostname").stdout == f"{hosts[0].name}\n"


def test_ssh_takes_root_and_somebody_who_may_become_root(hosts: list[Host]) -> None:
    assert _ssh(hosts[1], "whoami").stdout == "root\n"
    assert _ssh(hosts[1], "whoami; sudo whoami", user="deploy").stdout == "deploy\nroot\n"


def test_hosts_reach_each_other(hosts: list[Host]) -> None:
    connecting = "import socket; socket.create_connection(({!r}, 22), timeout=60)"
    for address in (hosts[1].address, hosts[1].address6):
        hosts[0].run("python3", "-c", connecting.format(address))


def test_nothing_leads_out_of_the_hosts_network(hosts: list[Host]) -> None:
    with segment.inside(hosts[0].prefix):
        assert _links() == sorted(["lo", "segment", *(host.name for host in hosts)])
    assert not [name for name in _links() if name.startswith(hosts[0].prefix)]


def test_a_host_raises_the_kernels_limits_for_itself_alone(hosts: list[Host]) -> None:
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    before = limit.read_text()
    hosts[2].run("sysctl", "--write", f"fs.inotify.max_user_instances={int(before) + 1}")
    assert int(hosts[2].run("cat", str(limit)).stdout) == int(before) + 1
    assert limit.read_text() == before == hosts[3].run("cat", str(limit)).stdout


def test_a_host_comes_back_from_a_reboot_as_another_boot_with_the_same_disk(hosts: list[Host]) -> None:
    host = hosts[3]
    host.run("sh", "-c", "echo kept > /root/file; echo lost > /run/file")
    boot, pid = host.run("cat", "/proc/sys/kernel/random/boot_id").stdout, host.pid
    host.run("systemctl", "reboot", check=False)
    jails.wait_until(lambda: host.pid not in (None, pid), what="the next boot", timeout=30)
    host.wait_ready(sets.BOOT_SECONDS)
    assert host.run("cat", "/proc/sys/kernel/random/boot_id").stdout != boot
    assert host.run("sh", "-c", "cat /root/file; test ! -e /run/file").stdout == "kept\n"
    assert _ssh(host, "hostname").stdout == f"{host.name}\n"


def test_a_host_whose_power_is_cut_can_be_switched_on_again(hosts: list[Host]) -> None:
    host = hosts[3]
    host.cut()
    assert host.pid is None
    assert _ssh(host, "true").returncode == 255
    power.switch_on(host)
    host.wait_ready(sets.BOOT_SECONDS)
    assert _ssh(host, "true").returncode == 0


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 0.9])
def test_what_is_left_of_a_killed_set_can_be_removed_by_its_name(seconds: float) -> None:
    """Killed while it was being made, with all that the hosts had started."""
    prefix = "killed"
    maker = os.fork()
    if maker == 0:
        sets.up(2, prefix=prefix)
        os._exit(0)
    time.sleep(seconds)
    os.kill(maker, signal.SIGKILL)
    os.waitpid(maker, 0)
    sets.down(prefix)
    assert _traces(prefix) == []
