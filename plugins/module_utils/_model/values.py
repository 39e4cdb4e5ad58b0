# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .cpusets import CPUSET_SCHEMA, parse_cpuset
from .names import NAME_SCHEMA, parse_name
from .permissions import parse_allow
from .place import Place, did_you_mean, listed, shown
from .profiles import CAPABILITIES, SECCOMP, canonical_capability
from .scalars import Scalar, parse_text, text_like, word_of
from .signals import SIGNAL_SCHEMA, parse_signal
from .sizes import SIZE_SCHEMA, format_size, parse_size

# getrlimit(2)
RLIMITS = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
# The sysctls that belong to a namespace (ipc_namespaces(7), network_namespaces(7)); all others are the host's.
_NAMESPACED = re.compile(r"net\..+|kernel\.(?:shm[a-z_]+|msg[a-z_]+|sem|sem_next_id)|fs\.mqueue\..+")
_SYSCTL = re.compile(r"[a-z0-9_]+(?:\.[A-Za-z0-9_-]+)+")

_DECIMAL = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,9})?")

_SMALLEST_MEMORY = 1 << 20
_MOST_CPUS = 8192


def _parse_size(value: Any, place: Place) -> str:
    return format_size(parse_size(value, place))


def _parse_memory(value: Any, place: Place) -> str:
    size = parse_size(value, place)
    if size < _SMALLEST_MEMORY:
        raise place.error(f"{shown(value)} is too little for any program", "write at least 1M, as in 256M")
    return format_size(size)


def _parse_cpus(value: Any, place: Place) -> float:
    """A share of processors; three decimals are as fine as the quota of cpu.max gets (100 of 100,000 microseconds)."""
    number = float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise place.error(f"{shown(value)} is not a number", "write a number of processors such as 0.5 or 2")
    if not 0.01 <= number <= _MOST_CPUS:  # also refuses not-a-number, which compares with nothing
        raise place.error(f"{shown(value)} is out of range", f"write a number from 0.01 to {_MOST_CPUS}")
    cpus = round(float(number), 3)
    return int(cpus) if cpus == int(cpus) else cpus


def _parse_rlimit(value: Any, place: Place) -> dict[str, Any]:
    """``{soft, hard}``; a single value is both. Numbers, sizes (64K) or unlimited."""
    if not isinstance(value, Mapping):
        limit = _parse_rlimit_value(value, place)
        return {"soft": limit, "hard": limit}
    for name in value:
        if name not in ("soft", "hard"):
            raise place.error(f"{shown(name)} is neither soft nor hard", did_you_mean(name, ("soft", "hard")))
    if len(value) != 2:
        raise place.error("says only one of soft and hard", "say both, or a single value for both")
    soft, hard = (_parse_rlimit_value(value[name], place.at(name)) for name in ("soft", "hard"))
    if hard != "unlimited" and (soft == "unlimited" or soft > hard):
        raise place.at("soft").error(f"{soft} is more than the hard limit {hard}", "make soft at most hard")
    return {"soft": soft, "hard": hard}


def _parse_rlimit_value(value: Any, place: Place) -> Any:
    if value in ("unlimited", "infinity"):
        return "unlimited"
    return parse_size(value, place)


def _parse_sysctl_name(value: Any, place: Place) -> str:
    name = parse_text(value, place)
    if not _SYSCTL.fullmatch(name):
        raise place.error(f"{shown(name)} is not a sysctl", "write it with dots, as in net.core.somaxconn")
    if not _NAMESPACED.fullmatch(name):
        raise place.error(
            "this sysctl belongs to the host, not to a jail",
            "use one of net.*, kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*",
        )
    return name


def _parse_seccomp(value: Any, place: Place) -> Any:
    """A word, the path of an OCI profile, or such a profile itself, whose insides the engine looks at."""
    if isinstance(value, Mapping):
        if "defaultAction" not in value:
            raise place.at("defaultAction").error("is missing", "take a profile as Docker and OCI runtimes read it")
        return value
    text = parse_text(value, place)
    if text in SECCOMP or text.startswith("/"):
        return text
    raise place.error(f"{shown(text)} is not a filter", f"use {listed(SECCOMP)}, or the absolute path of a profile")


NAME = Scalar(parse_name, NAME_SCHEMA, definition="name")
SIZE = Scalar(_parse_size, SIZE_SCHEMA, definition="size")
MEMORY = Scalar(_parse_memory, SIZE_SCHEMA, definition="size")
SIGNAL = Scalar(parse_signal, SIGNAL_SCHEMA)
CPUS = Scalar(_parse_cpus, {"type": ["number", "string"], "minimum": 0.01, "maximum": _MOST_CPUS}, ansible="float")
CPUSET = Scalar(parse_cpuset, CPUSET_SCHEMA)
RLIMIT = Scalar(_parse_rlimit, {"type": ["integer", "string", "object"]})
RLIMIT_NAME = word_of(RLIMITS, what="a resource limit", canonical=str.lower)
CAPABILITY = word_of(CAPABILITIES, what="a capability", canonical=canonical_capability)
PERMISSIONS_ALLOWED = Scalar(parse_allow, {"type": ["array", "object"]}, ansible="raw")
SECCOMP_FILTER = Scalar(_parse_seccomp, {"type": ["string", "object"]}, ansible="raw")
SYSCTL_NAME = Scalar(_parse_sysctl_name, {"type": "string"})
HOSTNAME = text_like(
    # 64 is __NEW_UTS_LEN: sethostname(2) refuses more.
    r"(?=[\s\S]{1,64}(?![\s\S]))[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*",
    what="a host name",
    remedy="use at most 64 letters, digits, '-' and '.', each label with a letter or digit at both ends",
)
VARIABLE_NAME = text_like(
    r"[A-Za-z_][A-Za-z0-9_]*",
    what="the name of an environment variable",
    remedy="use letters, digits and '_', not starting with a digit",
)
LABEL_NAME = text_like(
    r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?",
    what="a label's name",
    remedy="use 1 to 63 letters, digits, '.', '_', '/' and '-', with a letter or digit at both ends",
)
USER = text_like(
    r"(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,5})(?::(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,5}))?",
    what="a user",
    remedy="write a name or number of the jail, with its group if that is another one: www-data, 33:33",
)
PACKAGE = text_like(
    # A letter or digit comes first, so that no element can be taken for an option of the package manager.
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+)?",
    what="a package",
    remedy="write its name as the package manager knows it, as in nginx-light",
)
SUITE = text_like(r"[a-z][a-z0-9.-]*", what="a suite", remedy="write its code name, as in bookworm")
MIRROR = text_like(
    r"(?:https?|file)://?[!-~]+",
    what="the address of a package mirror",
    remedy="write http://, https:// or file:/ and what follows, as in http://deb.debian.org/debian",
)
CHECKSUM = text_like(
    r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}",
    what="a checksum",
    remedy="write sha256: or sha512: and the digest in lowercase hexadecimal",
)
DEVICE = text_like(
    r"/dev/[A-Za-z0-9][A-Za-z0-9_.+/-]*|[0-9]{1,4}:[0-9]{1,7}",
    what="a block device",
    remedy="write its path or its numbers, as in /dev/vda or 254:0",
)
DOMAIN = text_like(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?",
    what="a domain",
    remedy="write a domain name such as example.org",
)
LINK_NAME = text_like(
    # As the kernel takes it (dev_valid_name), without what would be an option or a sysctl's separator.
    r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}",
    what="a network link",
    remedy="write its name as ip link shows it, as in eth0",
)
RESOLVER_OPTION = text_like(
    r"[a-z][a-z0-9-]*(?::[0-9]{1,4})?",
    what="an option of resolv.conf(5)",
    remedy="write it as there, as in ndots:2 or edns0",
)
