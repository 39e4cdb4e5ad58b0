# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on the kernel itself: calls that belong to the host, or that containers were broken out through."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
import time

from attack import Facts, Refused, any_of, attack
from syscalls import MACHINE, NUMBERS, checked, libc, syscall

_NAMESPACES = {
    "mnt": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "time": 0x80,
}
_NEWUSER = _NAMESPACES["user"]
_SIGCHLD = 17


def _zeros(size: int) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(size)


@attack()
def load_bpf(facts: Facts) -> None:
    """A map of one element (BPF_MAP_CREATE)."""
    request = ctypes.create_string_buffer(struct.pack("=5I", 2, 4, 4, 1, 0), 72)
    os.close(syscall("bpf", 0, request, 72))


@attack(errno.ENOENT)
def count_performance_events(facts: Facts) -> None:
    event = ctypes.create_string_buffer(struct.pack("=IIQ", 1, 112, 0), 112)
    os.close(syscall("perf_event_open", event, -1, 0, -1, 0))


@attack()
def handle_page_faults(facts: Facts) -> None:
    os.close(syscall("userfaultfd", 0))


@attack()
def use_io_uring(facts: Facts) -> None:
    os.close(syscall("io_uring_setup", 1, _zeros(120)))


@attack()
def watch_whole_file_systems(facts: Facts) -> None:
    os.close(syscall("fanotify_init", 0, 0))


@attack()
def load_modules(facts: Facts) -> list[str]:
    return any_of(
        {
            "init_module": lambda: _past_permission("init_module", b"\0", 1, b""),
            "finit_module": lambda: _past_permission("finit_module", -1, b"", 0),
            "delete_module": lambda: _past_permission("delete_module", b"escape", 0),
        }
    )


@attack()
def load_another_kernel(facts: Facts) -> list[str]:
    return any_of(
        {
            "kexec_load": lambda: _past_permission("kexec_load", 0, 0, None, 0xFFFF),
            "kexec_file_load": lambda: _past_permission("kexec_file_load", -1, -1, 0, b"", 0xFFFF),
        }
    )


@attack()
def steer_storage(facts: Facts) -> list[str]:
    """Swap and accounting of the machine."""
    return any_of(
        {
            "swapon": lambda: _past_permission("swapon", b"/escape", 0),
            "acct": lambda: _past_permission("acct", b"/escape"),
        }
    )


@attack()
def steer_quotas(facts: Facts) -> None:
    """Q_QUOTAON; the kernel looks for the device before it looks for permission, so only a filter refuses this."""
    _past_permission("quotactl", 0x800002 << 8, b"/escape", 0, None)


@attack()
def set_clocks(facts: Facts) -> list[str]:
    """To the time that it is: the kernel looks at the value before it looks for permission."""
    seconds, fraction = divmod(time.time_ns(), 10**9)
    return any_of(
        {
            "settimeofday": lambda: syscall("settimeofday", struct.pack("=qq", seconds, fraction // 1000), None),
            "clock_settime": lambda: syscall("clock_settime", 0, struct.pack("=qq", seconds, fraction)),
            "adjtimex": _adjust_by_nothing,
        }
    )


def _adjust_by_nothing() -> None:
    """Mode ADJ_TICK with the tick that is in force (adjtimex(2))."""
    state = _zeros(208)
    syscall("clock_adjtime", 0, state)
    tick = struct.unpack_from("=q", state, 88)[0]
    request = _zeros(208)
    struct.pack_into("=I", request, 0, 0x4000)
    struct.pack_into("=q", request, 88, tick)
    syscall("clock_adjtime", 0, request)


@attack()
def reboot_the_machine(facts: Facts) -> None:
    """With magic numbers that the kernel refuses after it has asked for permission."""
    _past_permission("reboot", 1, 2, 3, None)


def _past_permission(name: str, *arguments: object) -> None:
    """Any answer but a refusal means that the kernel has let us in and dislikes only what we said."""
    try:
        syscall(name, *arguments)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise


@attack()
def reach_the_ports(facts: Facts) -> list[str]:
    """Input and output ports of the processor."""
    return any_of({"iopl": lambda: syscall("iopl", 3), "ioperm": lambda: syscall("ioperm", 0x80, 1, 1)})


@attack()
def read_the_kernels_log(facts: Facts) -> int:
    return syscall("syslog", 3, _zeros(4096), 4096)


@attack(errno.EINVAL)
def hang_up_terminals(facts: Facts) -> None:
    syscall("vhangup")


@attack()
def use_obsolete_calls(facts: Facts) -> list[str]:
    return any_of(
        {
            "lookup_dcookie": lambda: _past_permission("lookup_dcookie", 0, _zeros(8), 8),
            "modify_ldt": lambda: syscall("modify_ldt", 0, _zeros(64), 64),
        },
        frozenset({errno.ENOSYS, errno.EPERM}),
    )


@attack()
def turn_randomisation_off(facts: Facts) -> int:
    return checked(libc.personality(ctypes.c_ulong(0x0040000)), "personality")


@attack()
def compare_kernel_objects(facts: Facts) -> int:
    return syscall("kcmp", os.getpid(), os.getpid(), 1, 0, 0)


@attack()
def rename_the_machine(facts: Facts) -> list[str]:
    name = platform.node().encode()
    return any_of(
        {
            "sethostname": lambda: syscall("sethostname", name, len(name)),
            "setdomainname": lambda: syscall("setdomainname", b"(none)", 6),
        }
    )


@attack(errno.ENOSPC, errno.EUSERS)
def make_a_user_namespace(facts: Facts) -> list[str]:
    """The key to most of the kernel's attack surface; by each of the calls that make one."""
    return any_of(
        {
            "unshare": lambda: _in_a_child(lambda: syscall("unshare", _NEWUSER)),
            "clone": lambda: _clone(_NEWUSER),
            "clone3": _clone3,
        }
    )


@attack(errno.ENOSPC, errno.EINVAL)
def make_namespaces(facts: Facts) -> list[str]:
    kinds = {kind: flag for kind, flag in _NAMESPACES.items() if kind != "user"}
    return any_of(
        {kind: lambda flag=flag: _in_a_child(lambda: syscall("unshare", flag)) for kind, flag in kinds.items()}
    )


def _in_a_child(action) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os.write(writer, b"0")
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        os._exit(0)
    os.close(writer)
    number = int(os.read(reader, 16) or b"1")
    os.waitpid(pid, 0)
    if number:
        raise OSError(number, os.strerror(number))


def _clone(flags: int) -> None:
    pid = syscall("clone", flags | _SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _clone3() -> None:
    request = ctypes.create_string_buffer(struct.pack("=8Q", _NEWUSER, 0, 0, 0, _SIGCHLD, 0, 0, 0))
    pid = syscall("clone3", request, 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attack()
def call_as_another_architecture(facts: Facts) -> list[str]:
    """getpid by numbers of i386 and x32, which a filter for x86_64 does not know."""
    if MACHINE != "x86_64":
        raise Refused(f"{MACHINE} has no such calls")
    return any_of({"i386": _call_as_i386, "x32": lambda: checked(libc.syscall(0x40000000 | NUMBERS["getpid"]))})


def _call_as_i386() -> None:
    # push rbx; mov eax, edi; int 0x80; pop rbx; ret
    code = bytes.fromhex("5389f8cd805bc3")
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)(20)
    if result != os.getpid():
        raise OSError(-result, os.strerror(-result))


_ADDRESSES = ("/proc/kallsyms", "/proc/iomem", "/proc/ioports", "/proc/vmallocinfo", "/proc/modules")
_CONTENTS = ("/proc/kcore", "/proc/kpagecount", "/proc/kpageflags", "/proc/slabinfo", "/dev/mem", "/dev/kmsg")


@attack(errno.ENOENT)
def read_the_kernels_memory_map(facts: Facts) -> list[str]:
    """Addresses of the kernel, where they are not zeros; its memory and its allocator."""
    known = {path: lambda path=path: _read_addresses(path) for path in _ADDRESSES}
    raw = {path: lambda path=path: _read_something(path) for path in _CONTENTS}
    return any_of({**known, **raw}, frozenset({errno.EPERM, errno.EACCES, errno.ENOENT, errno.EIO}))


def _read_addresses(path: str) -> None:
    with open(path) as file:
        for line in file:
            for word in line.replace("-", " ").split():
                digits = word[2:] if word.startswith("0x") else word
                if len(digits) >= 8 and digits.strip("0") and all(c in "0123456789abcdef" for c in digits):
                    return
    raise Refused("zeros")


def _read_something(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    # A record of /dev/kmsg fits into no less.
    if not os.read(fd, 8192):
        raise Refused("empty")


@attack(errno.ENOENT)
def read_under_masks(facts: Facts) -> list[str]:
    """A byte of any masked file, an entry of any masked directory."""
    attempts = {path: lambda path=path: _look_into(path) for path in facts["masked"]}
    return any_of(attempts, frozenset({errno.EPERM, errno.EACCES, errno.ENOENT}))


def _look_into(path: str) -> None:
    if os.path.isdir(path):
        if not os.listdir(path):
            raise Refused("empty")
        return
    _read_something(path)


@attack()
def stop_the_clock_of_the_host(facts: Facts) -> str:
    """Our boot clock is our own: it began with us (time_namespaces(7))."""
    if time.clock_gettime(time.CLOCK_BOOTTIME) < facts["host_uptime"] - 1:
        raise Refused("our own clock")
    return "the host's uptime"


@attack()
def stack_landlock(facts: Facts) -> int:
    """Not an attack: sandboxes of programs in here must go on working."""
    return syscall("landlock_create_ruleset", None, 0, 1)


@attack()
def stack_a_filter(facts: Facts) -> str:
    """Not an attack either: a seccomp filter on top of ours, as browsers and systemd load one."""
    filter_all = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(filter_all)
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(buffer))
    checked(libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0), "no_new_privs")
    checked(libc.prctl(22, ctypes.c_ulong(2), program, 0, 0), "seccomp")
    return "loaded"
