# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jails find in /dev and may open: by their documents, and by nodes that came to them in other ways."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import truth
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._kernel import bpf, cgroup_devices
from ansible_collections.hosting.jails.plugins.module_utils._model.document import effective
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jail, jailctl, wait_until

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

PROFILES = ["service", "vps"]
DEVICE_HOOK = 6
MINIMAL = {"null", "zero", "full", "random", "urandom", "tty"}
# The disk that holds the host's root, or a number that a disk could have.
DISK = os.stat("/").st_dev if os.major(os.stat("/").st_dev) else os.makedev(254, 0)
NODES = "find /dev -not -path '/dev/pts/*' -exec test -c {} ';' -not -type l -printf '%P %m %u\\n'"


def _harmless() -> tuple[int, int]:
    """Numbers of a device that this kernel has, that anybody may open, and that no profile has."""
    present = dict(reversed(line.split()) for line in Path("/proc/misc").read_text().splitlines())
    return 10, int(next(present[name] for name in ("fuse", "loop-control", "vga_arbiter", "tun") if name in present))


FOREIGN = _harmless()
BY_NUMBERS = {"path": "/dev/net/mine", "type": "char", "major": FOREIGN[0], "minor": FOREIGN[1], "unsafe": True}


def nodes(it: Jail) -> dict[str, str]:
    """The character devices in a jail's /dev, with their mode and owner."""
    return dict(line.split(" ", 1) for line in it.script(NODES).splitlines())


def opens(it: Jail, path: str, how: str = "<") -> bool:
    done = it.run("sh", "-c", f"exec 3{how} {path}")
    assert done.returncode == 0 or "Operation not permitted" in done.stderr, done
    return bool(done.returncode == 0)


def change(it: Jail, *devices: Any, **task: Any) -> dict[str, Any]:
    return it.converge(part="caps", caps={"devices": list(devices)}, **task)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[str]:
    """A node of a device that no jail has."""
    path = "/dev/eng-mine"
    os.mknod(path, stat.S_IFCHR | 0o640, os.makedev(*FOREIGN))
    try:
        yield path
    finally:
        os.unlink(path)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_jail_has_what_is_listed_and_opens_nothing_else(profile: str, foreign: str) -> None:
    listed = [{"path": foreign, "unsafe": True}, {"path": "/dev/net/other", "source": "/dev/zero", "mode": "0604"}]
    with jail("eng-devices", caps={"profile": profile, "devices": listed}) as it:
        found = nodes(it)
        assert set(found) == {*MINIMAL, "eng-mine", "net/other"}
        assert (found["eng-mine"], found["net/other"]) == ("640 root", "604 root")
        assert all(opens(it, f"/dev/{name}") for name in ("null", "zero", "random", "pts/ptmx"))
        assert opens(it, "/dev/eng-mine", "<>")
        assert it.script("head -c 3 /dev/net/other | od -An -tx1").split() == ["00"] * 3


@pytest.mark.parametrize(("kind", "number"), [(stat.S_IFBLK, DISK), (stat.S_IFCHR, os.makedev(1, 1))])
def test_a_node_that_came_in_by_other_ways_does_not_open(kind: int, number: int) -> None:
    with jail("eng-devices") as it:
        _plant(it, kind, number)
        assert not opens(it, "/dev/planted")


def _plant(it: Jail, kind: int, number: int) -> None:
    """A node where nodes open, in the jail's own /dev, by somebody with all power over the host."""
    path = f"/proc/{it.pid}/root/dev/planted"
    os.mknod(path, kind, number)
    os.chmod(path, 0o666)


def test_without_a_profile_of_devices_there_is_but_one() -> None:
    with jail("eng-devices", caps={"devices": ["none"]}) as it:
        assert set(nodes(it)) == {"null"}
        assert not opens(it, "/dev/pts/ptmx", "<>")
        assert it.run("python3", "-c", "import os; os.getrandom(8)").returncode == 0
    with jail("eng-devices", state="present", caps={"devices": ["none"]}):
        # A command in a jail that does not run has the same.
        assert jailctl("exec", "eng-devices", "--", "sh", "-c", "ls /dev/zero").returncode != 0


def test_a_disk_that_a_whole_distribution_makes_a_node_of_does_not_open() -> None:
    with jail("eng-devices", caps={"profile": "vps"}) as it:
        done = it.run("sh", "-c", f"mount -t tmpfs none /mnt && mknod /mnt/disk b {os.major(DISK)} {os.minor(DISK)}")
        assert "Operation not permitted" in done.stderr
        assert it.run("sh", "-c", "test -e /mnt/disk && head -c 1 /mnt/disk").returncode != 0


# What each is good for: mount(2) of a file system of one's own, TUNSETIFF, KVM_GET_API_VERSION.
USES = {
    "/dev/fuse": "fd = os.open('/dev/fuse', os.O_RDWR)\n"
    "options = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fd\n"
    "raise SystemExit(ctypes.CDLL(None).mount(b'x', b'/mnt', b'fuse', 0, options))",
    "/dev/net/tun": "fd = os.open('/dev/net/tun', os.O_RDWR)\n"
    "fcntl.ioctl(fd, 0x400454CA, struct.pack('16sH22x', b'tun7', 1))\n"
    "raise SystemExit('tun7' not in os.listdir('/sys/class/net'))",
    "/dev/kvm": "raise SystemExit(fcntl.ioctl(os.open('/dev/kvm', os.O_RDWR), 0xAE00) < 12)",
}


def _has_driver(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("caps", [{"profile": "vps"}, {"allow": ["mount", "routing"]}], ids=["vps", "service"])
def test_the_usual_extras_are_of_use_in_a_jail(caps: dict[str, Any]) -> None:
    there = [path for path in USES if _has_driver(path)]
    network = {"mode": "vnet", "addresses": ["10.23.92.1/32"]}
    with jail("eng-devices", caps={**caps, "devices": there}, ip=network) as it:
        for path in there:
            done = it.run("python3", "-c", f"import ctypes, fcntl, os, struct\n{USES[path]}")
            assert done.returncode == 0, (path, done)


@pytest.mark.parametrize("profile", PROFILES)
def test_devices_come_and_go_while_a_jail_runs(profile: str) -> None:
    with jail("eng-devices", caps={"profile": profile}) as it:
        init = it.pid
        asked = [{**BY_NUMBERS, "access": "r", "mode": "0604"}, {"path": "/dev/other", "source": "/dev/zero"}]
        foretold = change(it, *asked, check=True)
        assert set(nodes(it)) == MINIMAL
        done = change(it, *asked)
        assert done["actions"] == foretold["actions"]
        assert [line.split()[0] for line in done["actions"]] == ["document.write", "devices.change"]
        assert (done["changed"], done["restart_required"]) == (True, False)
        assert not change(it, *asked)["changed"]
        assert nodes(it)["net/mine"] == "604 root"
        assert opens(it, "/dev/net/mine")
        assert not opens(it, "/dev/net/mine", ">")
        # Another mode and more rights, and one device less.
        change(it, {**BY_NUMBERS, "mode": "0600"})
        assert set(nodes(it)) == {*MINIMAL, "net/mine"}
        assert nodes(it)["net/mine"] == "600 root"
        assert opens(it, "/dev/net/mine", "<>")
        change(it, "none")
        assert set(nodes(it)) == {"null"}
        change(it)
        assert set(nodes(it)) == MINIMAL
        assert opens(it, "/dev/zero")
        assert it.pid == init
        assert not it.converge(state="started")["changed"]


def test_what_is_open_stays_open_and_is_not_opened_again(foreign: str) -> None:
    command = ["sh", "-c", "exec 3<> /dev/eng-mine; sleep 1000"]
    with jail("eng-devices", caps={"devices": [{"path": foreign, "unsafe": True}]}, command=command) as it:
        wait_until(lambda: it.run("sh", "-c", "ls -l /proc/*/fd | grep -q eng-mine").returncode == 0)
        change(it)
        assert "eng-mine" not in nodes(it)
        assert it.run("sh", "-c", "ls -l /proc/*/fd | grep -q eng-mine").returncode == 0
        _plant(it, stat.S_IFCHR, os.makedev(*FOREIGN))
        assert not opens(it, "/dev/planted")


def test_a_jail_cannot_keep_what_is_taken_from_it(foreign: str) -> None:
    entry = {"path": foreign, "unsafe": True}
    with jail("eng-devices", caps={"devices": [entry]}) as it:
        it.script("mv /dev/eng-mine /dev/kept; mkdir /dev/eng-mine")
        assert opens(it, "/dev/kept", "<>")
        assert not change(it)["restart_required"]
        assert not opens(it, "/dev/kept", "<>")
        # Nor can it hinder the rest, where it is in the way of something that it is given.
        _plant(it, stat.S_IFCHR, os.makedev(1, 5))
        assert opens(it, "/dev/planted")
        for _unused in range(2):
            with pytest.raises(EngineError, match="caps.devices: remove /dev/eng-mine: EISDIR .* or restart it"):
                change(it, "none", entry)
            assert not opens(it, "/dev/planted")
        it.script("rmdir /dev/eng-mine; rm /dev/planted")
        assert it.converge(state="started")["changed"]
        assert set(nodes(it)) == {"null", "eng-mine", "kept"}
        assert not it.converge(state="started")["changed"]


@pytest.mark.skipif(not cgroup_devices.takes_programs(), reason="this kernel takes no programs that decide on devices")
def test_who_is_no_longer_held_to_its_devices_is_held_again() -> None:
    with jail("eng-devices") as it:
        group = os.open(it.cgroup.unified, os.O_RDONLY | os.O_DIRECTORY)
        (attached,) = bpf.attached(group, DEVICE_HOOK)
        program = bpf.open_program(attached.id)
        bpf.detach(group, program, DEVICE_HOOK)
        os.close(program)
        os.close(group)
        _plant(it, stat.S_IFCHR, os.makedev(*FOREIGN))
        assert opens(it, "/dev/planted")
        done = it.converge(state="started")
        assert done["actions"] == ["devices.change eng-devices: the jail is not held to them"]
        assert not opens(it, "/dev/planted")
        assert not it.converge(state="started")["changed"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("/dev/no-such-device", "caps.devices[0].path: the host has no /dev/no-such-device; load its driver"),
        ({"path": "/dev/a", "source": "/dev/shm"}, "caps.devices[0].source: the host's /dev/shm is no device"),
        ("/dev/kmsg", "caps.devices[0]: /dev/kmsg is not for a jail: it is the log of the host's kernel; leave it out"),
        (
            {"path": "/dev/disk", "type": "block", "major": 254, "minor": 0},
            "caps.devices[0]: /dev/disk is not for a jail: whoever writes to a disk owns what is on it",
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_not_there_or_reaches_too_far_is_refused_first(entry: Any, message: str, check: bool) -> None:
    with jail("eng-devices") as it:
        with pytest.raises(EngineError) as refused:
            change(it, entry, check=check)
        assert message in str(refused.value)
        assert "caps" not in it.describe("document")["document"]


def test_a_disk_opens_with_the_word_that_it_takes() -> None:
    entry = {"path": "/dev/disk", "type": "block", "major": os.major(DISK), "minor": os.minor(DISK), "unsafe": True}
    with jail("eng-devices", caps={"devices": [{**entry, "access": "r"}]}) as it:
        assert it.script("stat -c '%F %a' /dev/disk") == "block special file 660\n"
        assert not opens(it, "/dev/disk", ">")
        report = truth.report_on(effective(it.describe("document")["document"]))
        assert "owns what is on it" in {line.item: line.why for line in report}["device /dev/disk"]
