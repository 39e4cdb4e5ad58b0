# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks by device nodes: made here, found here, or left here by somebody else."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import termios

from attack import Facts, Refused, any_of, attack

_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_HIGH_BIT = 1 << 32

_EXPECTED = frozenset({(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)})
_UNIX98_TERMINALS = range(136, 144)

_WANTED = (
    "mem kmem port kmsg kvm fuse net/tun loop-control loop0 uinput hpet nvram rtc0 vhost-net vhost-vsock vfio/vfio"
    " userfaultfd ppp autofs btrfs-control mapper/control snapshot cpu_dma_latency watchdog dri/card0 console vsock"
    " sda vda xvda nvme0n1"
).split()

_NO = frozenset({errno.EPERM, errno.EACCES, errno.ENXIO, errno.ENODEV, errno.EROFS})


def _make_and_open(directory: str, kind: int, number: int) -> None:
    path = f"{directory}/escape-node"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.mknod(path, kind | 0o600, number)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    finally:
        os.unlink(path)


def _make_everywhere(facts: Facts, kind: int, major: int, minor: int) -> list[str]:
    places = ["/tmp", "/dev", "/dev/shm", "/run", "/var/tmp", facts["volume"]]
    number = os.makedev(major, minor)
    return any_of({place: lambda place=place: _make_and_open(place, kind, number) for place in places}, _NO)


@attack()
def make_the_disk(facts: Facts) -> list[str]:
    return _make_everywhere(facts, stat.S_IFBLK, *facts["disk"])


@attack()
def make_any_device(facts: Facts) -> list[str]:
    """/dev/zero once more, which harms nobody: that a node is made and opens at all is what counts."""
    return _make_everywhere(facts, stat.S_IFCHR, 1, 5)


@attack()
def make_memory(facts: Facts) -> list[str]:
    return _make_everywhere(facts, stat.S_IFCHR, 1, 1)


@attack()
def make_the_kernels_log(facts: Facts) -> list[str]:
    return _make_everywhere(facts, stat.S_IFCHR, 1, 11)


@attack()
def make_a_tunnel_device(facts: Facts) -> list[str]:
    return _make_everywhere(facts, stat.S_IFCHR, 10, 200)


@attack(errno.ENOENT)
def open_devices(facts: Facts) -> list[str]:
    return any_of(
        {name: lambda name=name: os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK)) for name in _WANTED},
        _NO | {errno.ENOENT},
    )


@attack()
def find_devices(facts: Facts) -> list[str]:
    """Any node in /dev besides the harmless ones and terminals of our own."""
    found = []
    for directory, _unused, names in os.walk("/dev"):
        for name in names:
            status = os.lstat(f"{directory}/{name}")
            number = os.major(status.st_rdev), os.minor(status.st_rdev)
            character = stat.S_ISCHR(status.st_mode)
            terminal = character and number[0] in _UNIX98_TERMINALS and directory == "/dev/pts"
            if stat.S_ISBLK(status.st_mode) or (character and number not in _EXPECTED and not terminal):
                found.append(f"{directory}/{name} {number}")
    if not found:
        raise Refused("only the usual")
    return found


@attack(errno.ENXIO, errno.ENODEV)
def open_planted_nodes(facts: Facts) -> list[str]:
    """Device nodes that somebody with more power has left for us: in a volume, in the image."""
    attempts = {path: lambda path=path: os.close(os.open(path, os.O_RDONLY)) for path in facts["planted_nodes"]}
    if not attempts:
        raise Refused("there are none")
    return any_of(attempts, _NO)


@attack()
def own_the_null_device(facts: Facts) -> list[str]:
    """/dev/null may be the host's own inode: whoever can change its mode breaks the host."""
    before = os.stat("/dev/null")

    def change() -> None:
        os.chmod("/dev/null", 0o666)
        if before.st_dev != os.stat("/dev").st_dev:
            return
        raise Refused("it is a node of our own")

    return any_of({"chmod": change})


@attack(errno.EIO, errno.ENOTTY)
def type_into_a_terminal(facts: Facts) -> list[str]:
    """Push input into our controlling terminal (CVE-2017-5226), also by command numbers that filters read wrongly."""
    master, slave = os.openpty()
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    import ctypes

    from syscalls import checked, libc

    def push(command: int) -> None:
        checked(libc.ioctl(slave, ctypes.c_ulong(command), b"x"), "ioctl")

    return any_of(
        {
            "TIOCSTI": lambda: push(_TIOCSTI),
            "TIOCSTI with a high bit": lambda: push(_HIGH_BIT | _TIOCSTI),
        },
        frozenset({errno.EPERM, errno.EIO}),
    )


@attack(errno.EINVAL, errno.EIO, errno.ENOTTY)
def load_line_disciplines(facts: Facts) -> list[str]:
    """N_HDLC and N_GSM are drivers of the last century (CVE-2017-2636, CVE-2023-6546); PPP is the harmless one."""
    master, slave = os.openpty()
    return any_of(
        {
            "TIOCSETD": lambda: fcntl.ioctl(slave, _TIOCSETD, struct.pack("i", 0)),
            "TIOCLINUX": lambda: fcntl.ioctl(slave, _TIOCLINUX, b"\x06"),
        },
        frozenset({errno.EPERM, errno.ENOTTY, errno.EINVAL, errno.EIO}),
    )


@attack(errno.ENXIO)
def reach_a_terminal(facts: Facts) -> str:
    """A terminal that the command was not given: /dev/tty is whatever controls our session."""
    fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    return os.ttyname(fd)
