# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""Attacks on what the kernel shows and takes by files: /proc and /sys."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from .attack import Facts, Missing, Refused, any_of_these, attack
from .calls import can_write
from .expectations import never, own_formats, own_sysctls
from .mounts import file_systems, mount_and_away

_NO = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EIO})

# What a write there does, happens to the machine.
# What they are set to is no secret; what is one among them (tcp_fastopen_key) is masked.
_SETTINGS = "/proc/sys/"
SWITCHES = (
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/kernel/panic",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/fs/protected_symlinks",
    "/proc/mtrr",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/kexec_crash_size",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/profiling",
    "/sys/power/state",
    "/sys/module/kernel/parameters/crash_kexec_post_notifiers",
)


@attack(never, errno.ENOENT, errno.EIO)
def open_switches_of_the_machine(facts: Facts) -> list[str]:
    """Settings of the whole machine: memory, panics, interrupts, sleep, hardening."""
    return any_of_these(SWITCHES, can_write, _NO)


@attack(never)
def write_the_core_pattern(facts: Facts) -> str:
    """The handler of crashes runs as the host's root (core(5)); written is what is there already."""
    return _write_again("/proc/sys/kernel/core_pattern")


def _write_again(path: str) -> str:
    with open(path) as file:
        before = file.read()
    with open(path, "w") as file:
        file.write(before)
    return before


@attack(never, errno.ENOENT)
def write_the_modprobe_path(facts: Facts) -> str:
    """The program that loads modules runs as the host's root; written is what is there already."""
    return _write_again("/proc/sys/kernel/modprobe")


@attack(never, errno.ENOENT)
def write_the_uevent_helper(facts: Facts) -> list[str]:
    """The program that hears of new devices runs as the host's root."""
    paths = ("/sys/kernel/uevent_helper", "/proc/sys/kernel/hotplug")
    return any_of_these(paths, can_write, _NO)


@attack(never, errno.ENOENT, errno.EIO)
def pull_the_emergency_brake(facts: Facts) -> None:
    """/proc/sysrq-trigger reboots the machine at a letter; only opened."""
    # The mask is a null device, which may be written to.
    if stat.S_ISCHR(os.stat("/proc/sysrq-trigger").st_mode):
        raise Refused("masked")
    can_write("/proc/sysrq-trigger")


@attack(own_formats, errno.ENODEV, errno.ENOENT)
def register_a_program_format(facts: Facts) -> None:
    """Formats of programs of our own: binfmt_misc, which user namespaces have since Linux 6.7."""
    if "binfmt_misc" not in file_systems():
        raise Missing("this kernel has no binfmt_misc yet")
    mount_and_away(facts, "none", "formats", "binfmt_misc")


@attack(never, errno.ENOENT)
def register_a_program_format_of_the_host(facts: Facts) -> None:
    """binfmt_misc of the host."""
    can_write("/proc/sys/fs/binfmt_misc/register")


@attack(never)
def find_anything_writable(facts: Facts) -> list[str]:
    """Every file of /proc and /sys but those of processes: which of them open for writing and are not our own?"""
    own = tuple(facts["own_files"])
    found = sorted(path for path in _files_of_the_kernel() if not path.startswith(own) and _opens(path))
    if not found:
        raise Refused("nothing")
    return found


@attack(never)
def read_what_is_roots_alone(facts: Facts) -> list[str]:
    """Every file of /proc and /sys that only the host's root may read: what they tell of hardware and kernel."""
    own = (*facts["own_files"], _SETTINGS)
    found = sorted(path for path in _files_of_the_kernel() if not path.startswith(own) and _is_read_by_root_alone(path))
    if not found:
        raise Refused("nothing")
    return found


def _is_read_by_root_alone(path: str) -> bool:
    with contextlib.suppress(OSError), open(path, "rb", buffering=0, opener=_without_waiting_to_read) as file:
        mode = os.fstat(file.fileno()).st_mode
        return stat.S_ISREG(mode) and bool(mode & stat.S_IRUSR) and not mode & stat.S_IROTH
    return False


def _without_waiting_to_read(path: str, _unused: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def _files_of_the_kernel() -> Iterator[str]:
    """Plain files of /proc and /sys, but those of processes."""
    pending = ["/proc", "/sys"]
    while pending:
        directory = pending.pop()
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False) and not (directory == "/proc" and entry.name.isdigit()):
                    pending.append(entry.path)


def _opens(path: str) -> bool:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0, opener=_without_waiting) as file:
        # What lists a file does not know of the mask that covers it, a device.
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    return False


def _without_waiting(path: str, _unused: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK)


@attack(own_sysctls)
def write_network_settings(facts: Facts) -> str:
    """A setting of the network (sysctl net.*); written is what is there already."""
    return _write_again("/proc/sys/net/ipv4/ip_default_ttl")


@attack(never, errno.ENOENT)
def read_addresses_of_the_kernel(facts: Facts) -> list[str]:
    """Where the kernel and its devices are in memory, where these are not zeros (/proc/kallsyms)."""
    paths = ("/proc/kallsyms", "/proc/iomem", "/proc/ioports", "/proc/vmallocinfo", "/proc/modules")
    return any_of_these(paths, _read_addresses, _NO)


def _read_addresses(path: str) -> None:
    with open(path) as file:
        for line in file:
            for word in line.replace("-", " ").split():
                digits = word[2:] if word.startswith("0x") else word
                if len(digits) >= 8 and digits.strip("0") and all(c in "0123456789abcdef" for c in digits):
                    return
    raise Refused("zeros")


@attack(never, errno.ENOENT)
def read_memory_of_the_kernel(facts: Facts) -> list[str]:
    """The kernel's memory, and what it says of its pages (/proc/kcore, kpagecount, slabinfo)."""
    paths = ("/proc/kcore", "/proc/kpagecount", "/proc/kpageflags", "/proc/slabinfo")
    return any_of_these(paths, read_something, _NO)


@attack(never, errno.ENOENT)
def open_debugging_files(facts: Facts) -> list[str]:
    """debugfs and tracefs of the host."""
    paths = ("/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf")
    return any_of_these(paths, _look_into, _NO)


def read_something(path: str) -> None:
    """Read a byte or more of a file; Refused where there is none."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    # A record of /dev/kmsg fits into no less.
    if not os.read(fd, 8192):
        raise Refused("empty")


@attack(never, errno.ENOENT)
def read_under_masks(facts: Facts) -> list[str]:
    """A byte of any masked file, an entry of any masked directory."""
    if not facts["masks"]:
        raise Missing("the jail has no masks")
    return any_of_these(facts["masked"], _look_into, _NO)


def _look_into(path: str) -> None:
    if not os.path.isdir(path):
        return read_something(path)
    if not os.listdir(path):
        raise Refused("empty")
    return None
