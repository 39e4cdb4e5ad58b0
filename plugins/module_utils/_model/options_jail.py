# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from .host_paths import PATH
from .scalars import ARGUMENT, BOOLEAN, TEXT, Choice, whole_number
from .shapes import LIVE, ListOf, MapOf, Option, Record
from .values import (
    CPUS,
    CPUSET,
    DEVICE,
    HOSTNAME,
    LABEL_NAME,
    MEMORY,
    NAME,
    RLIMIT,
    RLIMIT_NAME,
    SIGNAL,
    SIZE,
    SYSCTL_NAME,
    USER,
    VARIABLE_NAME,
)

HOOK_STAGES = ("prestart", "poststart", "prestop", "poststop")

_SECONDS = whole_number(0, 3600)
_RATE = whole_number(1, 1 << 40)

MOUNT = Record(
    Option("source", PATH, "Absolute path on the host. Required for a V(bind) mount, refused for a V(tmpfs)."),
    Option(
        "target",
        PATH,
        "Absolute path in the jail, made if it does not exist. Not V(/), and nothing below V(/proc), V(/sys) and"
        " V(/dev) but V(/dev/shm), which is not there for the profile V(vps).",
        required=True,
    ),
    Option("read_only", BOOLEAN, "Whether nobody in the jail can write there.", default=False),
    Option(
        "type", Choice("bind", "tmpfs"), "What is mounted: a directory or file of the host, or memory.", default="bind"
    ),
    Option("size", SIZE, "How much a V(tmpfs) can hold, for example V(64M)."),
)

IO_LIMIT = Record(
    Option("device", DEVICE, "The block device, for example V(/dev/vda) or V(254:0).", required=True),
    Option("read_bps", SIZE, "Bytes read per second, for example V(10M)."),
    Option("write_bps", SIZE, "Bytes written per second."),
    Option("read_iops", _RATE, "Read operations per second."),
    Option("write_iops", _RATE, "Write operations per second."),
)

# Limits are those of a control group: the kernel takes a new value at any time.
LIMITS = Record(
    Option("memory", MEMORY, "Memory of all processes together, for example V(256M).", effect=LIVE),
    Option("swap", SIZE, "Swap space on top of O(limits.memory), which it needs. V(0) forbids swapping.", effect=LIVE),
    Option("cpus", CPUS, "Processor time as a number of processors, for example V(0.5).", effect=LIVE),
    Option(
        "cpu_weight",
        whole_number(1, 10000),
        "Share of processor time where jails compete for it. A jail without one has V(100).",
        effect=LIVE,
    ),
    Option("cpuset", CPUSET, "The processors to run on, for example V(0-3,8).", effect=LIVE),
    Option("pids", whole_number(1, 1 << 22), "Number of processes and threads.", effect=LIVE),
    Option("io", ListOf(IO_LIMIT), "Rates of block devices, one element a device.", effect=LIVE),
)

RESTART = Record(
    Option(
        "policy",
        Choice("never", "on-failure", "always"),
        "When a jail whose init has ended is started again: never, if it failed, or in any case.",
        effect=LIVE,
        default="never",
    ),
    Option(
        "delay",
        _SECONDS,
        "Seconds before the first restart; the delay doubles with each further one.",
        effect=LIVE,
        default=1,
    ),
    Option(
        "maximum",
        whole_number(0, 1_000_000),
        "Restarts in a row before the jail counts as failed. V(0) sets no end.",
        effect=LIVE,
        default=0,
    ),
)

STOP = Record(
    Option(
        "signal",
        SIGNAL,
        "Signal that asks the jail to stop. The default is V(SIGTERM), and V(SIGRTMIN+3\\) with O(init=system).",
        effect=LIVE,
    ),
    Option("timeout", _SECONDS, "Seconds until all processes of the jail are killed.", effect=LIVE, default=10),
)

HOOK = Record(
    Option(
        "stage",
        Choice(*HOOK_STAGES),
        "When it runs. A V(prestart) that fails keeps the jail from starting.",
        required=True,
    ),
    Option(
        "where",
        Choice("host", "jail"),
        "Where it runs. In the V(jail) only V(poststart) and V(prestop) can, as it does not live before and after.",
        default="host",
    ),
    Option(
        "command",
        ListOf(ARGUMENT),
        "Program and arguments; no shell is involved. A program on the host needs an absolute path.",
        required=True,
    ),
    Option("timeout", whole_number(1, 3600), "Seconds until it is killed and counts as failed.", default=30),
)

# What a change of an option marked LIVE costs is nothing: it is read again when its time comes.
JAIL_OPTIONS = (
    Option("name", NAME, "Name of the jail, a DNS label in lowercase. It is the jail's identity.", required=True),
    Option("hostname", HOSTNAME, "Host name that the jail sees. The default is the jail's name."),
    Option(
        "command",
        ListOf(ARGUMENT),
        ["Program and arguments that the jail runs; no shell is involved.", "A jail without a command stays up idle."],
    ),
    Option(
        "init",
        Choice("auto", "none", "system"),
        [
            "What runs as process 1 of the jail.",
            "V(auto) is a small init that reaps processes and passes signals on to the command.",
            "V(none) is the command itself.",
            "V(system) is the jail's own C(/sbin/init), which boots a whole distribution.",
        ],
        default="auto",
    ),
    Option(
        "user",
        USER,
        "User of the jail that runs the command, with its group if that is another one (V(www-data:adm\\)).",
        default="root",
    ),
    Option("workdir", PATH, "Directory in the jail that the command starts in.", default="/"),
    Option(
        "environment",
        MapOf(VARIABLE_NAME, TEXT),
        [
            "Environment variables of the command.",
            "Values whose name looks like that of a secret are hidden in results and differences, but not in the"
            " document on the host, which only its root can read.",
        ],
    ),
    Option(
        "syslog",
        BOOLEAN,
        [
            "Whether what programs of the jail send to C(/dev/log), as C(syslog(3\\)) does, goes to the jail's log.",
            "Without it nothing listens there, unless the jail runs a daemon for it, as with O(init=system).",
        ],
        default=False,
    ),
    Option("mounts", ListOf(MOUNT), "Directories and files of the host, and memory, that the jail sees."),
    Option("limits", LIMITS, "What all processes of the jail together may use.", effect=LIVE),
    Option(
        "rlimits",
        MapOf(RLIMIT_NAME, RLIMIT),
        "What each process may use, by the names of C(getrlimit(2\\)) in lowercase: a number, V(unlimited), or"
        " a mapping of C(soft) and C(hard).",
    ),
    Option(
        "sysctls",
        MapOf(SYSCTL_NAME, TEXT),
        "Kernel parameters of the jail: V(kernel.shm*), V(kernel.msg*), V(kernel.sem), V(fs.mqueue.*), and V(net.*)"
        " for a jail that has a network stack of its own.",
    ),
    Option("depends", ListOf(NAME, unique=True), "Jails that start before this one and stop after it.", effect=LIVE),
    Option("autostart", BOOLEAN, "Whether the jail starts with the host.", effect=LIVE, default=False),
    Option("restart", RESTART, "What happens when the jail's init has ended.", effect=LIVE),
    Option("stop", STOP, "How the jail is stopped.", effect=LIVE),
    Option("hooks", ListOf(HOOK), "Commands that run when the jail starts and stops.", effect=LIVE),
    Option("labels", MapOf(LABEL_NAME, TEXT), "Words of your own to select jails by.", effect=LIVE),
)
