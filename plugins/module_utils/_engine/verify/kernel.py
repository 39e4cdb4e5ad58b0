# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on the kernel itself: calls that belong to the host, or that containers were broken out through."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import time
from collections.abc import Callable
from functools import partial

from .attack import NOBODY, Facts, Missing, Refused, any_of, attack, past_permission
from .calls import MACHINE, NUMBERS, call_number, syscall
from .expectations import capability, gated, namespaces, never, rebooting, renaming, stacking, unfiltered

_NAMESPACES = {
    "mnt": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "time": 0x80,
}
_NEWUSER = 0x10000000
_SIGCHLD = 17
_ADDR_NO_RANDOMIZE = 0x0040000
_BOOTTIME_ALARM = 9


def _zeros(size: int) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(size)


@attack(unfiltered)
def load_bpf(facts: Facts) -> None:
    """Make a BPF map of one element (bpf(2))."""
    request = ctypes.create_string_buffer(struct.pack("=5I", 2, 4, 4, 1, 0), 72)
    os.close(syscall("bpf", 0, request, 72))


@attack(unfiltered, errno.ENOENT)
def count_performance_events(facts: Facts) -> None:
    """Count events of the processor (perf_event_open(2))."""
    event = ctypes.create_string_buffer(struct.pack("=IIQ", 1, 112, 0), 112)
    os.close(syscall("perf_event_open", event, -1, 0, -1, 0))


@attack(unfiltered)
def handle_page_faults(facts: Facts) -> None:
    """Hold the kernel up in the middle of an access to our memory (userfaultfd(2))."""
    os.close(syscall("userfaultfd", 0))


@attack(unfiltered)
def use_io_uring(facts: Facts) -> None:
    """io_uring(7), by which system calls are made that no filter sees."""
    os.close(syscall("io_uring_setup", 1, _zeros(120)))


@attack(never)
def watch_whole_file_systems(facts: Facts) -> None:
    """Hear of every file that anybody opens (fanotify(7))."""
    os.close(syscall("fanotify_init", 0, 0))


@attack(never)
def load_modules(facts: Facts) -> list[str]:
    """Load a module of the kernel, or remove one; there is none of that name."""
    return any_of(
        {
            "init_module": lambda: past_permission(lambda: syscall("init_module", b"\0", 1, b"")),
            "finit_module": lambda: past_permission(lambda: syscall("finit_module", -1, b"", 0)),
            "delete_module": lambda: past_permission(lambda: syscall("delete_module", b"verify", 0)),
        }
    )


@attack(never)
def load_another_kernel(facts: Facts) -> list[str]:
    """kexec_load(2), with flags that no kernel takes."""
    return any_of(
        {
            "kexec_load": lambda: past_permission(lambda: syscall("kexec_load", 0, 0, None, 0xFFFF)),
            "kexec_file_load": lambda: past_permission(lambda: syscall("kexec_file_load", -1, -1, 0, b"", 0xFFFF)),
        }
    )


@attack(never)
def switch_swap(facts: Facts) -> list[str]:
    """Give the machine a swap file that is not there, or take it away."""
    return any_of(
        {
            "swapon": lambda: past_permission(lambda: syscall("swapon", b"/verify", 0)),
            "swapoff": lambda: past_permission(lambda: syscall("swapoff", b"/verify")),
        }
    )


@attack(never)
def switch_accounting(facts: Facts) -> None:
    """Have all processes of the machine written down in a file that is not there (acct(2))."""
    past_permission(lambda: syscall("acct", b"/verify"))


@attack(unfiltered)
def steer_quotas(facts: Facts) -> None:
    """Q_QUOTAON; the kernel looks for the device before it looks for permission, so only a filter refuses this."""
    past_permission(lambda: syscall("quotactl", 0x800002 << 8, b"/verify", 0, None))


@attack(never)
def set_the_clock(facts: Facts) -> list[str]:
    """To the time that it is: the kernel looks at the value before it looks for permission."""
    seconds, fraction = divmod(time.time_ns(), 10**9)
    return any_of(
        {
            "settimeofday": lambda: syscall("settimeofday", struct.pack("=qq", seconds, fraction // 1000), None),
            "clock_settime": lambda: syscall("clock_settime", 0, struct.pack("=qq", seconds, fraction)),
        }
    )


@attack(never)
def slew_the_clock(facts: Facts) -> None:
    """Mode ADJ_TICK with the tick that is in force (adjtimex(2))."""
    state = _zeros(208)
    syscall("clock_adjtime", 0, state)
    tick = struct.unpack_from("=q", state, 88)[0]
    request = _zeros(208)
    struct.pack_into("=I", request, 0, 0x4000)
    struct.pack_into("=q", request, 88, tick)
    syscall("clock_adjtime", 0, request)


@attack(never)
def wake_the_machine(facts: Facts) -> None:
    """An alarm that wakes the machine from sleep (timerfd_create(2))."""
    os.close(syscall("timerfd_create", _BOOTTIME_ALARM, 0))


@attack(rebooting)
def reboot(facts: Facts) -> None:
    """reboot(2), which ends the jail alone; with magic numbers that the kernel refuses once it has let us in."""
    past_permission(lambda: syscall("reboot", 1, 2, 3, None))


@attack(never)
def reach_the_ports(facts: Facts) -> list[str]:
    """Input and output ports of the processor."""
    return any_of({"iopl": lambda: syscall("iopl", 3), "ioperm": lambda: syscall("ioperm", 0x80, 1, 1)})


@attack(unfiltered)
def read_the_kernels_log(facts: Facts) -> int:
    """syslog(2), as dmesg(1) does."""
    return syscall("syslog", 3, _zeros(4096), 4096)


@attack(unfiltered, errno.EINVAL)
def hang_up_terminals(facts: Facts) -> None:
    """vhangup(2)."""
    syscall("vhangup")


@attack(unfiltered)
def use_obsolete_calls(facts: Facts) -> list[str]:
    """Calls that no program needs."""
    return any_of(
        {
            "lookup_dcookie": lambda: past_permission(lambda: syscall("lookup_dcookie", 0, _zeros(8), 8)),
            "modify_ldt": lambda: syscall("modify_ldt", 0, _zeros(64), 64),
        },
        frozenset({errno.ENOSYS, errno.EPERM}),
    )


@attack(gated("SYS_PTRACE"))
def turn_randomisation_off(facts: Facts) -> int:
    """Programs at addresses that are known beforehand (personality(2))."""
    return syscall("personality", _ADDR_NO_RANDOMIZE)


@attack(gated("SYS_PTRACE"))
def compare_kernel_objects(facts: Facts) -> int:
    """kcmp(2) of our own, which tells in which order the kernel keeps them."""
    return syscall("kcmp", os.getpid(), os.getpid(), 1, 0, 0)


@attack(never)
def map_address_zero(facts: Facts) -> None:
    """A page where null pointers of the kernel point to."""
    # Private and anonymous, readable and writable, exactly there.
    syscall("mmap", 0, 4096, 3, 0x32, -1, 0)


@attack(renaming)
def rename_the_jail(facts: Facts) -> None:
    """Set the host name, to what it is."""
    name = os.uname().nodename.encode()
    syscall("sethostname", name, len(name))


@attack(never, user=NOBODY)
def rename_the_jail_as_a_user(facts: Facts) -> None:
    """As a user of the jail: set the host name, to what it is."""
    name = os.uname().nodename.encode()
    syscall("sethostname", name, len(name))


@attack(namespaces, errno.ENOSPC, errno.EUSERS)
def make_a_user_namespace(facts: Facts) -> list[str]:
    """The key to most of the kernel's attack surface; by each of the calls that make one."""
    return any_of(
        {
            "unshare": lambda: _unshare_in_a_child(_NEWUSER),
            "clone": lambda: _clone(_NEWUSER),
            "clone3": _clone3,
        }
    )


@attack(namespaces, errno.ENOSPC, errno.EUSERS, user=NOBODY)
def make_a_user_namespace_as_a_user(facts: Facts) -> None:
    """The same as a user of the jail."""
    _unshare_in_a_child(_NEWUSER)


@attack(capability("SYS_ADMIN"), errno.ENOSPC, errno.EINVAL)
def make_namespaces(facts: Facts) -> list[str]:
    """Namespaces of all other kinds, as jails in jails would need."""
    return any_of({kind: partial(_unshare_in_a_child, flag) for kind, flag in _NAMESPACES.items()})


def _unshare_in_a_child(flags: int) -> None:
    _in_a_child(lambda: syscall("unshare", flags))


def _in_a_child(action: Callable[[], object]) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os.write(writer, b"0")
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(0)
    os.close(writer)
    number = int(os.read(reader, 16) or b"1")
    os.close(reader)
    os.waitpid(pid, 0)
    if number:
        raise OSError(number, os.strerror(number))


def _clone(flags: int) -> None:
    # The two architectures differ in the order of the other arguments, and all of them are zero.
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


@attack(unfiltered)
def call_as_i386(facts: Facts) -> None:
    """getpid by the number of i386, which a filter for x86_64 does not know."""
    if MACHINE != "x86_64":
        raise Missing(f"{MACHINE} has no such calls")
    # push rbx; mov eax, edi; int 0x80; pop rbx; ret
    code = bytes.fromhex("5389f8cd805bc3")
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)(20)
    if result != os.getpid():
        raise OSError(-result, os.strerror(-result))


@attack(unfiltered)
def call_as_x32(facts: Facts) -> int:
    """getpid by the number of x32, likewise."""
    if MACHINE != "x86_64":
        raise Missing(f"{MACHINE} has no such calls")
    return call_number(0x40000000 | NUMBERS["getpid"], "getpid")


@attack(never)
def see_the_hosts_uptime(facts: Facts) -> str:
    """Our boot clock is our own: it began with us (time_namespaces(7))."""
    if time.clock_gettime(time.CLOCK_BOOTTIME) < facts["host_uptime"] - 1:
        raise Refused("our own clock")
    if not os.path.exists("/proc/self/ns/time"):
        raise Missing("this kernel has no time namespaces")
    return "the host's uptime"


@attack(stacking)
def stack_landlock(facts: Facts) -> int:
    """No attack: sandboxes of programs in here must go on working (landlock(7))."""
    try:
        return syscall("landlock_create_ruleset", None, 0, 1)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            raise Missing("this kernel has no Landlock") from error
        raise


@attack(stacking)
def stack_a_filter(facts: Facts) -> None:
    """No attack either: a seccomp filter on top of ours, as browsers and systemd load one."""
    filter_all = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000), 8)
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(filter_all))
    syscall("prctl", 38, 1, 0, 0, 0)
    syscall("prctl", 22, 2, program, 0, 0)


@attack(capability("SETPCAP"))
def narrow_our_capabilities(facts: Facts) -> None:
    """Take a capability out of the bounding set, as careful services do."""
    syscall("prctl", 24, 0, 0, 0, 0)


@attack(never)
def regain_capabilities(facts: Facts) -> None:
    """Have a capability that we do not have: all of them (capset(2))."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    everything = ctypes.create_string_buffer(struct.pack("=6I", *(0xFFFFFFFF, 0xFFFFFFFF, 0, 0x1FF, 0x1FF, 0)))
    syscall("capset", header, everything)


@attack(never)
def pass_capabilities_on(facts: Facts) -> list[str]:
    """Hand capabilities to programs of other users, by the inheritable and ambient sets (CVE-2022-24769)."""
    status = {}
    with open("/proc/self/status") as file:
        for line in file:
            name, _unused, value = line.partition(":")
            if name in ("CapInh", "CapAmb") and int(value, 16):
                status[name] = value.strip()
    if not status:
        raise Refused("both are empty")
    return sorted(status)
