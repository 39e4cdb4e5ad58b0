# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root in a jail and its limits (E17, E18, E43, E57-E61, E68)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import Outside, Prisoner, base_of

_MEMORY = 64 << 20


def test_root_in_a_jail_cannot_raise_the_limits_of_its_group(any_jail: Prisoner) -> None:
    any_jail.refuses("raise_limits_of_the_group")


def test_root_in_a_jail_cannot_leave_its_group(any_jail: Prisoner) -> None:
    any_jail.refuses("leave_the_group")


def test_root_in_a_jail_cannot_make_groups_without_end(any_jail: Prisoner) -> None:
    any_jail.refuses("nest_groups_without_end")


# Names as long as may be, so that the path to the innermost is longer than any may be.
_GROUPS = """
import os
os.chdir("/sys/fs/cgroup")
made = 0
try:
    for number in range(5000):
        os.mkdir(f"wide{number}")
        made += 1
except BlockingIOError:
    print(made)
for number in range(made):
    os.rmdir(f"wide{number}")
try:
    while True:
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
except BlockingIOError:
    print("deep")
"""


def test_a_jail_with_more_groups_than_a_path_can_name_is_seen_and_stopped(outside: Outside) -> None:
    with outside.prisoner("groups", caps={"profile": "vps"}, ip={"mode": "none"}) as nested:
        made, deep = nested.output("python3", "-c", _GROUPS).split()
        assert 0 < int(made) <= 2048
        assert deep == "deep"
        nested.converge(state="stopped")
        assert not nested.cgroup.exists()


def test_root_in_a_jail_cannot_raise_its_limits_in_hierarchies_of_version_1(any_jail: Prisoner) -> None:
    any_jail.refuses("raise_limits_by_version_1")
    any_jail.refuses("write_a_release_agent")


def test_root_in_a_jail_cannot_raise_limits_of_processes(any_jail: Prisoner) -> None:
    any_jail.refuses("raise_the_limit_of_files")
    any_jail.refuses("raise_the_limit_of_locked_memory")
    any_jail.refuses("raise_the_limit_of_nice")


def test_root_in_a_jail_cannot_take_more_than_its_share(any_jail: Prisoner) -> None:
    any_jail.refuses("raise_our_priority")
    any_jail.refuses("become_a_real_time_process")
    any_jail.refuses("put_our_disk_traffic_first")
    any_jail.refuses("be_spared_by_the_memory_killer")


def test_a_fork_bomb_stops_at_the_limit(outside: Outside) -> None:
    bomb = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while made < 1000:\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(600)\n"
        "        made += 1\n"
        "except BlockingIOError:\n"
        "    print(made, flush=True)\n"
        "os.killpg(0, 9)\n"
    )
    with outside.prisoner("forks", limits={"pids": 50}, ip={"mode": "none"}) as forks:
        done = forks.run("python3", "-c", bomb)
        assert 0 < int(done.stdout) < 50


def test_a_memory_hog_dies_in_its_own_jail(outside: Outside, app: Prisoner) -> None:
    before = app.pid
    with outside.prisoner("hog", limits={"memory": str(_MEMORY), "swap": "0"}, ip={"mode": "none"}) as hog:
        done = hog.run("python3", "-c", "held = bytearray(400 << 20); print(len(held))")
        assert done.returncode != 0
        assert done.stdout == ""
        assert hog.state == "running"
    assert app.pid == before
    assert app.state == "running"


def test_files_in_memory_count_as_memory_of_the_jail(outside: Outside) -> None:
    with outside.prisoner("tmpfs", limits={"memory": str(_MEMORY), "swap": "0"}, ip={"mode": "none"}) as full:
        for path in ("/dev/shm/full", "/run/full"):
            full.run("dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=300")
            size = full.run("stat", "-c", "%s", path).stdout.strip()
            assert int(size or 0) <= _MEMORY
            full.run("rm", "-f", path)


def test_a_jail_cannot_fill_dev(app: Prisoner) -> None:
    app.run("dd", "if=/dev/zero", "of=/dev/filled", "bs=64k", "count=64")
    assert 0 < int(app.output("stat", "-c", "%s", "/dev/filled")) <= 512 << 10
    app.run("sh", "-c", "for i in $(seq 300); do : > /dev/fill-$i || break; done 2>/dev/null")
    assert int(app.output("sh", "-c", "ls /dev | wc -l")) <= 128
    app.script("rm -f /dev/fill*")


_TERMINALS = """
import os
held = []
try:
    while len(held) < 1000:
        held.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
except OSError as error:
    print(len(held), error.errno)
"""


def test_a_jail_cannot_take_all_terminals_of_the_host(any_jail: Prisoner) -> None:
    taken, reason = map(int, any_jail.output("python3", "-c", _TERMINALS).split())
    assert (0 < taken <= 512, reason) == (True, errno.ENOSPC)


def test_a_jail_that_never_stops_printing_does_not_fill_the_hosts_disk(outside: Outside) -> None:
    flood = "yes | head -c 60000000; head -c 5000000 /dev/zero; echo done > /run/done; sleep 600"
    with outside.prisoner("flood", command=["sh", "-c", flood], ip={"mode": "none"}) as flooding:
        jails.wait_until(lambda: flooding.run("test", "-e", "/run/done").returncode == 0, what="the flood")
        written = [path for path in Path(places.LOGS).iterdir() if path.name.startswith(f"{flooding.name}.log")]
        assert 0 < sum(path.stat().st_size for path in written) <= 3 * (10 << 20)


_NO_QUEUES = """
import ctypes, os
libc, made = ctypes.CDLL(None), 0
for number in range(200):
    libc.mq_unlink(b"/escape%d" % number)
"""
# As many POSIX message queues as there may be, which the kernel counts by user.
_QUEUES = """
while libc.mq_open(b"/escape%d" % made, os.O_CREAT | os.O_RDWR, 0o600, None) >= 0 and made < 200:
    made += 1
print(made)
"""


def test_what_a_jail_uses_up_others_and_the_host_still_have(any_jail: Prisoner, neighbour: Prisoner) -> None:
    """Whatever is counted by user is counted for the maker of the user namespace as well."""
    any_jail.refuses("use_up_the_hosts_account")
    first = int(any_jail.output("python3", "-c", _NO_QUEUES + _QUEUES))
    assert 0 < first < 200, "there is no end to it"
    and_gone = _NO_QUEUES + _QUEUES + _NO_QUEUES
    try:
        assert int(neighbour.output("python3", "-c", and_gone)) > 0
        on_the_host = subprocess.run([sys.executable, "-c", and_gone], check=True, capture_output=True, text=True)
        assert int(on_the_host.stdout) > 0
    finally:
        any_jail.run("python3", "-c", _NO_QUEUES)


def test_the_makers_of_user_namespaces_are_nobody_else(
    app: Prisoner, system: Prisoner, weak: Prisoner, neighbour: Prisoner
) -> None:
    jails_made = (app, system, weak, neighbour)
    makers = {namespaces.owner_of(f"/proc/{one.pid}/ns/user") for one in jails_made}
    assert len(makers) == 4
    ranges = [range(base_of(one.name), base_of(one.name) + 65536) for one in jails_made]
    assert not any(maker in ids for maker in makers for ids in ranges)


def test_two_jails_never_get_the_same_range_of_ids(app: Prisoner, neighbour: Prisoner) -> None:
    import json

    ranges = json.loads(Path(places.ALLOCATIONS).read_text())
    indexes = [entry["index"] for entry in ranges.values()]
    assert len(indexes) == len(set(indexes)) >= 2
    assert os.stat(places.ALLOCATIONS).st_mode & 0o077 == 0
