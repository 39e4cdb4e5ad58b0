# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""What becomes, on this host, of the privileges that a document asks for: nothing is weaker than asked without a word.

Apart from what imposes them (``privileges``): a task that changes nothing reports, and imposes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._kernel import seccomp, sysctls
from .._model.profiles import has_user_namespace, privileges_of
from .errors import EngineError
from .finding import Finding
from .findings import ENFORCED, Host, examine


def report_on(document: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What this kernel makes of the privileges that a document asks for. Raises DocumentError as compile_ceiling."""
    network = (document.get("ip") or {}).get("mode") or "none"
    host = Host(network, seccomp.is_available(), raises_limits(), _first_open_port(network))
    found = (*examine(privileges_of(document), host), *_examine_devices(document))
    if not has_user_namespace(document):
        from . import host_root

        found = (*host_root.examine(privileges_of(document)), *found)
    return (*found, *_examine_sharing(document, filtered=host.has_filters)) if shares_stack(document) else found


def _first_open_port(network: str) -> int:
    """The first port that takes no right; on the host's own stack the host decides, elsewhere we do."""
    return int((sysctls.read("net/ipv4/ip_unprivileged_port_start") if network == "host" else None) or 1024)


def _examine_devices(document: Mapping[str, Any]) -> Iterator[Finding]:
    from .device_findings import examine_devices

    return examine_devices(document)


def _examine_sharing(document: Mapping[str, Any], *, filtered: bool) -> Iterator[Finding]:
    from .shared_findings import examine_sharing

    privileges = privileges_of(document)
    return examine_sharing(privileges, filtered=filtered and privileges.seccomp != "none")


def shares_stack(document: Mapping[str, Any]) -> bool:
    """Whether a jail is on the host's network stack, held to its addresses."""
    return bool((document.get("ip") or {}).get("mode") == "shared")


def raises_limits() -> bool:
    """Whether this engine may give a jail more than its own hard limits (getrlimit(2))."""
    from .._kernel import capabilities

    return capabilities.number_of("SYS_RESOURCE") in capabilities.read_sets(os.getpid()).effective


def refuse_weaker(document: Mapping[str, Any], *, report: Sequence[Finding]) -> None:
    """EngineError for a jail with ``strict`` that this kernel would give or withhold less than its document asks for.

    A capability or a device that comes with a profile is not asked for by name, so it may be worth less than elsewhere.
    """
    caps = document.get("caps") or {}
    if not caps.get("strict"):
        return
    asked = {f"capability {name}" for name in caps.get("keep") or ()}
    asked |= {"devices"} if caps.get("devices") else set()
    for finding in report:
        by_profile = finding.item.startswith(("capability ", "devices")) and finding.item not in asked
        if finding.verdict != ENFORCED and not by_profile:
            raise EngineError(
                str(document.get("name", "")),
                f"{finding.item} is {finding.verdict} on this host: {finding.why}",
                path="caps.strict",
                remedy="ask for less, or leave strict out",
            )
