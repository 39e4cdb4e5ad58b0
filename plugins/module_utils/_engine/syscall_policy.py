# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import errno
from collections.abc import Collection

from .._kernel.seccomp_compiler import ALLOW, ArgumentTest, Comparison, Conditions, Verdict, refuse

# Every system call of our table is in exactly one of the groups below or has a verdict of its own further down; a test
# holds them to it, so that a newer table cannot come in without a decision about each call.

_FILES = """
    access cachestat chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr file_getattr
    file_setattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents
    getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown lgetxattr link
    linkat listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
    readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile setxattr setxattrat
    splice stat statfs statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat
    utime utimensat utimes vmsplice write writev
"""
_EVENTS_AND_PIPES = """
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 io_cancel io_destroy
    io_getevents io_pgetevents io_setup io_submit pipe pipe2 poll ppoll pselect6 select signalfd signalfd4
    timerfd_create timerfd_gettime timerfd_settime
"""
_MEMORY = """
    brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal
    msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
_PROCESSES = """
    arch_prctl execve execveat exit exit_group fork get_robust_list getcpu getpgid getpgrp getpid getppid getpriority
    getrlimit getrusage getsid gettid ioprio_get ioprio_set kill membarrier pause pidfd_open pidfd_send_signal prctl
    prlimit64 process_mrelease process_vm_readv process_vm_writev ptrace restart_syscall rseq rseq_slice_yield
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield set_robust_list set_tid_address setpgid setpriority setrlimit setsid sigaltstack tgkill times tkill
    uprobe uretprobe vfork wait4 waitid
"""
_IDENTITY_AND_CEILING = """
    capget capset getegid geteuid getgid getgroups getresgid getresuid getuid landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lsm_get_self_attr lsm_list_modules seccomp setfsgid setfsuid setgid setgroups setregid
    setresgid setresuid setreuid setuid
"""
_COMMUNICATION = """
    accept accept4 bind connect futex futex_requeue futex_wait futex_waitv futex_wake getpeername getsockname getsockopt
    listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom
    recvmmsg recvmsg semctl semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget
    shutdown
"""
# Reading the clocks is all that adjtimex and clock_adjtime do without CAP_SYS_TIME.
_TIME_AND_SYSTEM = """
    adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer getrandom gettimeofday nanosleep
    setitimer sysinfo time timer_create timer_delete timer_getoverrun timer_gettime timer_settime uname
"""
ALLOWED = frozenset(
    " ".join(
        (_FILES, _EVENTS_AND_PIPES, _MEMORY, _PROCESSES, _IDENTITY_AND_CEILING, _COMMUNICATION, _TIME_AND_SYSTEM)
    ).split()
)

# Allowed when the capability is kept, EPERM when it is not.
GATED = {
    "SYS_ADMIN": frozenset(
        """
        fsconfig fsmount fsopen fspick listns lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr
        pivot_root setdomainname sethostname setns umount2
        """.split()
    ),
    "SYS_BOOT": frozenset({"reboot"}),
    "SYS_CHROOT": frozenset({"chroot"}),
    "SYS_NICE": frozenset("get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node".split()),
    "SYS_PTRACE": frozenset({"kcmp", "pidfd_getfd", "process_madvise"}),
}

# Allowed with a permission of FreeBSD's, whatever capabilities there are besides.
PERMITTED = {
    "mount": frozenset(
        "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr umount2".split()
    ),
    "set_hostname": frozenset({"setdomainname", "sethostname"}),
}
PERMITTED.update(dict.fromkeys(("mount.nullfs", "mount.overlay", "mount.tmpfs"), PERMITTED["mount"]))

# EPERM when such a permission is taken away; ENOSYS for System V IPC, as on a kernel that was built without it.
WITHDRAWN = {
    "mlock": frozenset({"mlock", "mlock2", "mlockall"}),
    "nested_jails": frozenset({"setns"}),
    "sysvmsg": frozenset({"msgctl", "msgget", "msgrcv", "msgsnd"}),
    "sysvsem": frozenset({"semctl", "semget", "semop", "semtimedop"}),
    "sysvshm": frozenset({"shmat", "shmctl", "shmdt", "shmget"}),
    "unprivileged_proc_debug": frozenset({"process_vm_readv", "process_vm_writev", "ptrace"}),
}

# EPERM under the strict filter: looking into other processes, scheduling, file handles, and parts of the kernel with
# few users and a history. A service that needs one of them says so by not being under it.
STRICT = frozenset(
    """
    ioprio_set kcmp listmount map_shadow_stack memfd_secret migrate_pages move_pages name_to_handle_at pidfd_getfd
    process_madvise process_mrelease process_vm_readv process_vm_writev ptrace remap_file_pages sched_setattr
    sched_setparam sched_setscheduler statmount sync uprobe uretprobe vmsplice
    """.split()
)

# EPERM in every jail: what these reach belongs to the host as a whole (clocks, modules, swap, quota, the kernel's log
# and its keyrings), or they are the parts of the kernel that containers were broken out through most often (bpf,
# io_uring, userfaultfd, perf). open_by_handle_at opens any file of a file system, whatever is mounted of it.
REFUSED = frozenset(
    """
    acct add_key bpf clock_settime delete_module fanotify_init fanotify_mark finit_module init_module io_uring_enter
    io_uring_register io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl open_by_handle_at perf_event_open
    quotactl quotactl_fd request_key settimeofday swapoff swapon syslog userfaultfd vhangup
    """.split()
)

# ENOSYS in every jail: removed from the kernel, never in it, or (modify_ldt, *_thread_area) for 32-bit programs only.
OBSOLETE = frozenset(
    """
    _sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms get_thread_area getpmsg
    lookup_dcookie modify_ldt nfsservctl putpmsg query_module security set_thread_area sysfs tuxcall uselib ustat
    vserver
    """.split()
)

_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_NEW_TIME_NAMESPACE = 0x80  # in clone(2) these bits are part of the exit signal

# The first two put input into a terminal that somebody else, perhaps the host's administrator, reads. The third gives
# a terminal another line discipline, which loads one of the oldest drivers of the kernel (CVE-2017-2636, n_hdlc;
# CVE-2023-6546, n_gsm).
_TIOCSTI = 0x5412
_TIOCLINUX = 0x541C
_TIOCSETD = 0x5423
# EPERM in a jail without a user namespace: by these a file leaves the project that its size is counted for, which the
# kernel leaves to owners in the host's user namespace (fileattr_set_prepare in fs/file_attr.c).
ON_HOST = frozenset({"file_setattr"})
_FS_IOC_SETFLAGS = 0x40086602
_FS_IOC_FSSETXATTR = 0x401C5820

_AF_UNIX = 1
_AF_INET = 2
_AF_INET6 = 10
_AF_NETLINK = 16
_AF_PACKET = 17
_AF_ALG = 38
_AF_VSOCK = 40

# IP, ICMP, TCP, UDP, ICMPv6, UDP-Lite, raw and MPTCP. Any other number makes the kernel look for a module, and SCTP,
# DCCP and L2TP have each been a way to its ring 0.
_IP_PROTOCOLS = (0, 1, 6, 17, 58, 136, 255, 262)

# ROUTE, USERSOCK, SOCK_DIAG, KOBJECT_UEVENT; for who manages a network also NFLOG, XFRM, CONNECTOR, NETFILTER, GENERIC.
# Never AUDIT, which has no namespace: EPROTONOSUPPORT is what libaudit and systemd take for a kernel without it.
_NETLINK_PROTOCOLS = (0, 2, 4, 15)
_NETLINK_PROTOCOLS_OF_MANAGERS = (5, 6, 11, 12, 16)
# On the host's own stack without USERSOCK, by which anybody sends to processes of the host, and its uevents.
_NETLINK_PROTOCOLS_OF_GUESTS = (0, 4)

# PER_LINUX and PER_LINUX32, each also with UNAME26, and 0xffffffff, which asks for the present one.
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)

_RLIMIT_CORE = 4

# Not carried out, but said to be.
_PRETEND = refuse(0)
_EPERM = refuse(errno.EPERM)
_ENOSYS = refuse(errno.ENOSYS)
_EAFNOSUPPORT = refuse(errno.EAFNOSUPPORT)
_EPROTONOSUPPORT = refuse(errno.EPROTONOSUPPORT)


def verdicts(
    capabilities: Collection[str],
    *,
    allowed: Collection[str] = (),
    refused: Collection[str] = (),
    strict: bool = False,
    shares_network: bool = False,
    on_host: bool = False,
    no_dumps: bool = False,
) -> dict[str, Verdict]:
    """The default filter of a jail that keeps these capabilities: a verdict for every system call that we know.

    An allow list in the spirit of Docker's default: what a capability would let root do is filtered as long as the
    capability is not kept, so that a bug in the kernel's own check is out of reach as well. ``allowed`` and ``refused``
    are permissions that a jail has or has not besides; ``strict`` takes away what ordinary services do without.
    A jail that ``shares_network`` asks the host's stack about itself by netlink, and talks to nothing else there. One
    that is ``on_host`` has no user namespace.
    """
    found: dict[str, Verdict] = dict.fromkeys(ALLOWED, ALLOW)
    found.update(dict.fromkeys(REFUSED, _EPERM))
    found.update(dict.fromkeys(OBSOLETE, _ENOSYS))
    for capability, names in GATED.items():
        found.update(dict.fromkeys(names, ALLOW if capability in capabilities else _EPERM))
    nests = "SYS_ADMIN" in capabilities and "nested_jails" not in refused
    found.update(_namespace_verdicts(may_make_namespaces=nests))
    found["socket"] = _socket_verdict(
        raw="NET_RAW" in capabilities,
        netlink=_netlink_protocols(manages="NET_ADMIN" in capabilities, shares_network=shares_network),
        any_family="socket_af" in allowed,
    )
    # Other families have no use for it, but would have their module loaded.
    found["socketpair"] = ArgumentTest(0, values=(_AF_UNIX,), then=ALLOW, otherwise=_EAFNOSUPPORT)
    requests = (_TIOCSTI, _TIOCLINUX, _TIOCSETD, *((_FS_IOC_SETFLAGS, _FS_IOC_FSSETXATTR) if on_host else ()))
    found["ioctl"] = ArgumentTest(1, values=requests, then=_EPERM, otherwise=ALLOW)
    # A debugger turns address space randomisation off; nobody else has a reason to.
    found["personality"] = (
        ALLOW if "SYS_PTRACE" in capabilities else ArgumentTest(0, values=_PERSONALITIES, then=ALLOW, otherwise=_EPERM)
    )
    if on_host:
        found.update(dict.fromkeys(ON_HOST, _EPERM))
    if no_dumps:
        # A limit of 1 byte keeps the host's handler of crashes out, but one of 0 would not. Whoever asks for that (as
        # agents that hold keys do, and give up otherwise) has what he wants already.
        found["setrlimit"] = ArgumentTest(0, values=(_RLIMIT_CORE,), then=_PRETEND, otherwise=ALLOW)
        changes = Conditions((Comparison(2, "ne", 0),), then=_PRETEND, otherwise=ALLOW)
        found["prlimit64"] = ArgumentTest(1, values=(_RLIMIT_CORE,), then=changes, otherwise=ALLOW)
    if strict:
        found.update(dict.fromkeys(STRICT, _EPERM))
        found["personality"] = ArgumentTest(0, values=_PERSONALITIES, then=ALLOW, otherwise=_EPERM)
    for permission in PERMITTED.keys() & set(allowed):
        found.update(dict.fromkeys(PERMITTED[permission], ALLOW))
    for permission in WITHDRAWN.keys() & set(refused):
        found.update(dict.fromkeys(WITHDRAWN[permission], _ENOSYS if permission.startswith("sysv") else _EPERM))
    return found


def _namespace_verdicts(*, may_make_namespaces: bool) -> dict[str, Verdict]:
    """clone3 keeps its flags in memory, where no filter sees them: ENOSYS makes libc fall back to clone."""
    if may_make_namespaces:
        return {"clone": ALLOW, "clone3": ALLOW, "unshare": ALLOW}
    return {
        "clone": ArgumentTest(0, bits=_NEW_NAMESPACES, then=_EPERM, otherwise=ALLOW),
        "clone3": _ENOSYS,
        "unshare": ArgumentTest(0, bits=_NEW_NAMESPACES | _NEW_TIME_NAMESPACE, then=_EPERM, otherwise=ALLOW),
    }


def _netlink_protocols(*, manages: bool, shares_network: bool) -> tuple[int, ...]:
    if shares_network:
        return _NETLINK_PROTOCOLS_OF_GUESTS
    return _NETLINK_PROTOCOLS + (_NETLINK_PROTOCOLS_OF_MANAGERS if manages else ())


def _socket_verdict(*, raw: bool, netlink: tuple[int, ...], any_family: bool) -> Verdict:
    """An allow list of families: AF_VSOCK reaches the hypervisor, AF_ALG and the exotic ones load modules.

    A jail that may use ``any_family`` may load modules by that, but AF_VSOCK and AF_ALG, which have no namespace, stay
    closed, and so does AF_PACKET, whose capability is checked in the owner of the network only.
    """
    internet: Verdict = ALLOW if raw else ArgumentTest(2, values=_IP_PROTOCOLS, then=ALLOW, otherwise=_EPROTONOSUPPORT)
    asking = ArgumentTest(2, values=netlink, then=ALLOW, otherwise=_EPROTONOSUPPORT)
    simple = (_AF_UNIX, _AF_PACKET) if raw else (_AF_UNIX,)
    closed = (_AF_ALG, _AF_PACKET, _AF_VSOCK)
    others: Verdict = (
        ArgumentTest(0, values=closed, then=_EAFNOSUPPORT, otherwise=ALLOW) if any_family else _EAFNOSUPPORT
    )
    return ArgumentTest(
        0,
        values=simple,
        then=ALLOW,
        otherwise=ArgumentTest(
            0,
            values=(_AF_INET, _AF_INET6),
            then=internet,
            otherwise=ArgumentTest(0, values=(_AF_NETLINK,), then=asking, otherwise=others),
        ),
    )
