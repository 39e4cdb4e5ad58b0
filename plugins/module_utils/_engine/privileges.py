# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._kernel import capabilities, files, landlock, seccomp
from .._kernel.errors import KernelError
from .._model.profiles import OWN_PROFILE, Privileges, privileges_of
from .ceiling import Ceiling
from .errors import EngineError
from .truth import report_on, shares_stack

if TYPE_CHECKING:
    from .._kernel.seccomp_compiler import Verdict
    from .oci_seccomp import Policy


def compile_ceiling(document: Mapping[str, Any], *, architecture: str) -> Ceiling:
    """The ceiling of a jail from its document; once, when the jail is defined, since a start has no time for it.

    ``architecture`` as in uname(2). Raises DocumentError for a ``caps`` part that cannot be and EngineError where
    there is no filter for the architecture.
    """
    privileges = privileges_of(document)
    program = b""
    if privileges.seccomp != "none" and seccomp.is_available():
        program = _compile_filter(privileges, document, architecture=architecture)
    # What nothing confines is not there: a kernel without filters would leave the whole of it open.
    kept = privileges.capabilities if program else privileges.capabilities - privileges.confined
    return Ceiling(
        bounding=frozenset(capabilities.number_of(name) for name in kept),
        no_new_privileges=privileges.no_new_privileges,
        securebits=capabilities.securebits_of(privileges.securebits),
        seccomp=program,
        report=report_on(document),
        scoped=shares_stack(document) and landlock.has_scopes(),
        on_host=not privileges.user_namespace,
    )


def _name_of(document: Mapping[str, Any]) -> str:
    return str(document.get("name", ""))


def _compile_filter(privileges: Privileges, document: Mapping[str, Any], *, architecture: str) -> bytes:
    # Here and not above: a start imports this file too, and has no use for the tables of system calls.
    from .._kernel.seccomp_compiler import compile_filter

    try:
        if privileges.seccomp == OWN_PROFILE:
            policy = _own_profile(privileges, document, architecture=architecture)
            return compile_filter(policy.verdicts, architecture=architecture, default=policy.default)
        no_dumps = not privileges.user_namespace and "core" not in (document.get("rlimits") or {})
        ours = _our_verdicts(privileges, shares_network=shares_stack(document), no_dumps=no_dumps)
        return compile_filter(ours, architecture=architecture)
    except ValueError as error:
        raise EngineError(_name_of(document), str(error), path="caps.seccomp", remedy="say seccomp: none") from error


def _our_verdicts(privileges: Privileges, *, shares_network: bool, no_dumps: bool) -> dict[str, Verdict]:
    from .syscall_policy import verdicts

    return verdicts(
        privileges.capabilities - privileges.confined,
        allowed=privileges.allowed,
        refused=privileges.refused,
        strict=privileges.seccomp == "strict",
        shares_network=shares_network,
        on_host=not privileges.user_namespace,
        no_dumps=no_dumps,
    )


def _own_profile(privileges: Privileges, document: Mapping[str, Any], *, architecture: str) -> Policy:
    from .oci_seccomp import Circumstances, read_profile

    name = _name_of(document)
    release = [int(number) for number in re.findall(r"[0-9]+", os.uname().release)[:2]]
    circumstances = Circumstances(privileges.capabilities, architecture, (release[0], release[1]))
    profile = document["caps"]["seccomp"]
    return read_profile(
        load_profile(profile, jail=name) if isinstance(profile, str) else profile, circumstances, jail=name
    )


def load_profile(path: str, *, jail: str) -> Any:
    """The seccomp profile in a file on the host; EngineError where there is none."""
    try:
        profile = files.read_json(path)
    except KernelError as error:
        raise EngineError(jail, str(error), path="caps.seccomp", remedy="mend the file") from error
    if profile is None:
        raise EngineError(jail, f"{path!r} does not exist", path="caps.seccomp", remedy="put the profile there first")
    return profile


def refuse_bad_profile(document: Mapping[str, Any]) -> None:
    """EngineError for a seccomp profile of the document's own that cannot be read, before anything is done."""
    privileges = privileges_of(document)
    if privileges.seccomp == OWN_PROFILE:
        _compile_filter(privileges, document, architecture=os.uname().machine)
