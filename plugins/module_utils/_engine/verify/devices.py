# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks by device nodes: made here, found here, or left here by somebody else; and by terminals."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import termios

from ..._kernel import terminals
from ..._kernel.errors import KernelError
from .attack import Facts, Missing, Refused, any_of, any_of_these, attack
from .calls import can_open, syscall
from .expectations import never, unfiltered
from .knobs import read_something

_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_HIGH_BIT = 1 << 32
_RNDADDTOENTCNT = 0x40045201

_UNIX98_TERMINALS = range(136, 144)
_OF_MEMORY = ("mem", "kmem", "port", "nvram")
_OF_THE_HOST = (
    "kvm fuse loop-control loop0 uinput hpet rtc0 vhost-net vhost-vsock vfio/vfio userfaultfd ppp autofs btrfs-control"
    " mapper/control snapshot cpu_dma_latency watchdog dri/card0 console vsock net/tun"
).split()

_NO = frozenset({errno.EPERM, errno.EACCES, errno.ENXIO, errno.ENODEV, errno.EROFS, errno.ENOENT})


def _make_and_open(directory: str, kind: int, number: int) -> None:
    path = f"{directory}/.verify-node"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.mknod(path, kind | 0o600, number)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    finally:
        os.unlink(path)


def _make_everywhere(facts: Facts, kind: int, major: int, minor: int) -> list[str]:
    places = ["/dev", *facts["places"], *facts["volumes"]]
    number = os.makedev(major, minor)
    return any_of_these(places, lambda place: _make_and_open(place, kind, number), _NO)


@attack(never)
def make_the_disk(facts: Facts) -> list[str]:
    """mknod(2) of the disk that the host's root is on, and open it."""
    return _make_everywhere(facts, stat.S_IFBLK, *facts["disk"])


@attack(never)
def make_any_device(facts: Facts) -> list[str]:
    """/dev/zero once more, which harms nobody: that a node is made and opens at all is what counts."""
    return _make_everywhere(facts, stat.S_IFCHR, 1, 5)


@attack(never)
def make_memory(facts: Facts) -> list[str]:
    """mknod(2) of /dev/mem, and open it."""
    return _make_everywhere(facts, stat.S_IFCHR, 1, 1)


@attack(never)
def make_the_kernels_log(facts: Facts) -> list[str]:
    """mknod(2) of /dev/kmsg, and open it."""
    return _make_everywhere(facts, stat.S_IFCHR, 1, 11)


@attack(never)
def make_a_tunnel_device(facts: Facts) -> list[str]:
    """mknod(2) of /dev/net/tun, and open it."""
    return _make_everywhere(facts, stat.S_IFCHR, 10, 200)


def _open_those(facts: Facts, paths: list[str]) -> list[str]:
    given = {tuple(number) for number in facts["devices"]}
    return any_of_these((path for path in paths if _number_of(path) not in given), _open_at_once, _NO)


def _open_at_once(path: str) -> None:
    can_open(path, os.O_RDONLY | os.O_NONBLOCK)


def _number_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return os.major(status.st_rdev), os.minor(status.st_rdev)


@attack(never, errno.ENOENT)
def open_memory_of_the_machine(facts: Facts) -> list[str]:
    """/dev/mem and its like."""
    return _open_those(facts, [f"/dev/{name}" for name in _OF_MEMORY])


@attack(never, errno.ENOENT)
def open_disks(facts: Facts) -> list[str]:
    """A block device below /dev."""
    found = [path for path, mode, _unused in _nodes() if stat.S_ISBLK(mode)]
    return _open_those(facts, found + ["/dev/sda", "/dev/vda", "/dev/xvda", "/dev/nvme0n1"])


@attack(never, errno.ENOENT)
def open_devices_of_the_host(facts: Facts) -> list[str]:
    """Devices that lead out: loop, fuse, kvm, tunnels, consoles, input, watchdogs."""
    return _open_those(facts, [f"/dev/{name}" for name in _OF_THE_HOST])


@attack(never)
def find_devices(facts: Facts) -> list[str]:
    """Any node in /dev besides those that the jail is given, and terminals of our own."""
    given = {tuple(number) for number in facts["devices"]}
    found = []
    for path, mode, number in _nodes():
        terminal = stat.S_ISCHR(mode) and number[0] in _UNIX98_TERMINALS and path.startswith("/dev/pts/")
        if number not in given and not terminal:
            found.append(f"{path} {number[0]}:{number[1]}")
    if not found:
        raise Refused("only what it is given")
    return found


def _nodes() -> list[tuple[str, int, tuple[int, int]]]:
    """Path, mode and number of every device node below /dev."""
    found = []
    for directory, _unused, names in os.walk("/dev"):
        for path in (f"{directory}/{name}" for name in names):
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
                    found.append((path, status.st_mode, (os.major(status.st_rdev), os.minor(status.st_rdev))))
    return found


@attack(never, errno.ENXIO, errno.ENODEV)
def open_planted_nodes(facts: Facts) -> list[str]:
    """Device nodes that somebody with more power has left for us in a volume."""
    paths = facts["planted_nodes"]
    if not paths:
        raise Missing("no volume has a device node")
    return any_of_these(paths, _open_at_once, _NO)


@attack(never)
def own_the_null_device(facts: Facts) -> str:
    """/dev/null may be the host's own inode: whoever can change its mode breaks the host."""
    before = os.stat("/dev/null")
    os.chmod("/dev/null", before.st_mode & 0o7777)
    if before.st_dev == os.stat("/dev").st_dev:
        raise Refused("it is a node of our own")
    return "/dev/null"


@attack(never, errno.ENOENT)
def read_the_log_device(facts: Facts) -> list[str]:
    """The kernel's log, by /dev/kmsg and /proc/kmsg."""
    paths = ("/dev/kmsg", "/proc/kmsg")
    return any_of_these(paths, read_something, _NO | {errno.EAGAIN})


@attack(never, errno.ENOENT)
def add_entropy(facts: Facts) -> None:
    """Tell the kernel's random numbers that they are more random than they are (random(4)); by nothing."""
    fd = os.open("/dev/random", os.O_RDWR)
    fcntl.ioctl(fd, _RNDADDTOENTCNT, struct.pack("i", 0))


def _terminal() -> int:
    """Not by openpty(3): before glibc 2.33 that reads the groups of the jail, by libraries of the jail."""
    try:
        return terminals.open_terminal()[1]
    except KernelError as error:
        raise Missing(f"there is no terminal to be had: {error}") from error


@attack(unfiltered, errno.EIO, errno.ENOTTY)
def type_into_a_terminal(facts: Facts) -> list[str]:
    """TIOCSTI into our controlling terminal (CVE-2017-5226), also by numbers that filters read wrongly."""
    slave = _terminal()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    return any_of(
        {
            "TIOCSTI": lambda: syscall("ioctl", slave, _TIOCSTI, b"x"),
            "TIOCSTI with a high bit": lambda: syscall("ioctl", slave, _HIGH_BIT | _TIOCSTI, b"x"),
        },
        frozenset({errno.EPERM, errno.EIO}),
    )


@attack(unfiltered, errno.EINVAL, errno.EIO, errno.ENOTTY)
def load_line_disciplines(facts: Facts) -> list[str]:
    """N_HDLC and N_GSM are drivers of the last century (CVE-2017-2636, CVE-2023-6546); N_TTY is the harmless one."""
    slave = _terminal()
    return any_of(
        {
            "TIOCSETD": lambda: fcntl.ioctl(slave, _TIOCSETD, struct.pack("i", 0)),
            "TIOCLINUX": lambda: fcntl.ioctl(slave, _TIOCLINUX, b"\x06"),
        },
        frozenset({errno.EPERM, errno.ENOTTY, errno.EINVAL, errno.EIO}),
    )


@attack(never, errno.ENXIO, errno.ENOENT)
def reach_a_terminal(facts: Facts) -> str:
    """A terminal that we were not given: /dev/tty is whatever controls our session."""
    fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    return os.ttyname(fd)
