# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._kernel import capabilities, files, landlock, processes, seccomp
from .._kernel.credentials import become
from .._kernel.errors import KernelError
from .._model.profiles import OWN_PROFILE, Privileges, privileges_of
from .errors import EngineError
from .findings import Finding
from .truth import report_on, shares_stack

if TYPE_CHECKING:
    from .._kernel.seccomp_compiler import Verdict
    from .oci_seccomp import Policy


class Ceiling(NamedTuple):
    """What no process of a jail can rise above, ready to be imposed.

    ``bounding`` are capability numbers: root's permitted and effective sets after exec as well. ``seccomp`` is an array
    of struct sock_filter, empty for no filter. ``scoped``: the jail is on the host's network stack, whose abstract
    sockets it must not reach.
    """

    bounding: frozenset[int]
    no_new_privileges: bool
    securebits: int
    seccomp: bytes
    report: tuple[Finding, ...]
    scoped: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, for the start that comes long after the definition."""
        return {
            "bounding": sorted(self.bounding),
            "no_new_privileges": self.no_new_privileges,
            "securebits": self.securebits,
            "seccomp": b64encode(self.seccomp).decode("ascii"),
            "scoped": self.scoped,
            "report": [{"item": line.item, "verdict": line.verdict, "why": line.why} for line in self.report],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ceiling:
        """The inverse of to_json; KeyError, TypeError or ValueError for what to_json did not write."""
        return cls(
            bounding=frozenset(int(number) for number in value["bounding"]),
            no_new_privileges=bool(value["no_new_privileges"]),
            securebits=int(value["securebits"]),
            seccomp=b64decode(value["seccomp"], validate=True),
            report=tuple(Finding(**line) for line in value["report"]),
            scoped=bool(value.get("scoped")),
        )


def compile_ceiling(document: Mapping[str, Any], *, architecture: str) -> Ceiling:
    """The ceiling of a jail from its document; once, when the jail is defined, since a start has no time for it.

    ``architecture`` as in uname(2). Raises DocumentError for a ``caps`` part that cannot be and EngineError where
    there is no filter for the architecture.
    """
    privileges = privileges_of(document)
    program = b""
    if privileges.seccomp != "none" and seccomp.is_available():
        program = _compile_filter(privileges, document, architecture=architecture)
    return Ceiling(
        bounding=frozenset(capabilities.number_of(name) for name in privileges.capabilities),
        no_new_privileges=privileges.no_new_privileges,
        securebits=capabilities.securebits_of(privileges.securebits),
        seccomp=program,
        report=report_on(document),
        scoped=shares_stack(document) and landlock.has_scopes(),
    )


def impose(ceiling: Ceiling, *, uid: int, gid: int, groups: Sequence[int]) -> None:
    """Put ourselves under the ceiling and become the user, right before exec; the same for a start and for an entry.

    We must be in the jail's namespaces and hold every capability in its user namespace. Afterwards the process is
    undumpable again, but without parent death signal: a change of credentials clears it. Raises KernelError.
    """
    if ceiling.scoped:
        landlock.scope_abstract_sockets()
    capabilities.drop_bounding(ceiling.bounding)
    if ceiling.seccomp and not ceiling.no_new_privileges:
        # Without no_new_privs loading takes the CAP_SYS_ADMIN that is about to go. The default filter allows every
        # call below; what goes missing is the last line of defence against this function alone.
        seccomp.load_filter(ceiling.seccomp)
    if ceiling.securebits:
        capabilities.set_securebits(ceiling.securebits)
    become(uid=uid, gid=gid, groups=groups)
    # Inheritable stays empty: programs with file capabilities would gain them past the profile (CVE-2022-24769).
    # A user other than root has lost all of them in become(); root would get the bounding set at exec anyway.
    kept = ceiling.bounding if uid == 0 else frozenset()
    capabilities.set_capabilities(permitted=kept, effective=kept)
    capabilities.clear_ambient()
    processes.set_undumpable()
    if ceiling.no_new_privileges:
        processes.set_no_new_privileges()
        if ceiling.seccomp:
            seccomp.load_filter(ceiling.seccomp)


def _name_of(document: Mapping[str, Any]) -> str:
    return str(document.get("name", ""))


def _compile_filter(privileges: Privileges, document: Mapping[str, Any], *, architecture: str) -> bytes:
    # Here and not above: a start imports this file too, and has no use for the tables of system calls.
    from .._kernel.seccomp_compiler import compile_filter

    try:
        if privileges.seccomp == OWN_PROFILE:
            policy = _own_profile(privileges, document, architecture=architecture)
            return compile_filter(policy.verdicts, architecture=architecture, default=policy.default)
        ours = _our_verdicts(privileges, shares_network=shares_stack(document))
        return compile_filter(ours, architecture=architecture)
    except ValueError as error:
        raise EngineError(_name_of(document), str(error), path="caps.seccomp", remedy="say seccomp: none") from error


def _our_verdicts(privileges: Privileges, *, shares_network: bool) -> dict[str, Verdict]:
    from .syscall_policy import verdicts

    return verdicts(
        privileges.capabilities - privileges.confined,
        allowed=privileges.allowed,
        refused=privileges.refused,
        strict=privileges.seccomp == "strict",
        shares_network=shares_network,
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
