# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._kernel import files, mounts
from .. import places
from ..errors import EngineError
from . import apt_sources, build_failures, full_disk, generic
from .isolation import run_isolated

# Where a build sees its root. Its real place is below a directory that only root may enter, and apt's own user has to.
BUILD = places.RUNTIME
ROOT = f"{BUILD}/rootfs"

_HOST_OPTIONS = re.compile(
    r"Acquire::(http|https|ftp|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Max-FutureTime)\b"
)
_APT_DEFAULTS = """\
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
"""
_PASSED_ON = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Recipe:
    """What to build, with everything that was left to the host filled in."""

    suite: str
    variant: str
    include: tuple[str, ...]
    stanzas: tuple[apt_sources.Stanza, ...]
    apt_options: str

    @property
    def sources(self) -> str:
        """The sources.list(5) file of the build and of what is built."""
        return apt_sources.render(self.stanzas)


def resolve(options: Mapping[str, Any]) -> Recipe:
    """Fill in the host's release, package sources and apt settings where ``source.packages`` leaves them open.

    Raises EngineError for a keyring that is not there and for a release that the host has no sources of.
    """
    keyring = options.get("keyring")
    if keyring and not os.path.isfile(keyring):
        raise EngineError(
            "", f"there is no keyring {keyring}", path="source.packages.keyring", remedy="name a file on the host"
        )
    host_suite = _release_of_host()
    suite = options.get("suite") or host_suite
    stanzas = apt_sources.select(
        apt_sources.host_stanzas(), host_suite=host_suite, suite=suite, mirror=options.get("mirror"), keyring=keyring
    )
    return Recipe(
        suite=suite,
        variant=options.get("variant") or "minbase",
        include=tuple(options.get("include") or ()),
        stanzas=tuple(stanzas),
        apt_options=_APT_DEFAULTS + _acquire_options(),
    )


def _release_of_host() -> str:
    """VERSION_CODENAME of os-release(5); empty on a host that has none, which then must be told a suite."""
    text = files.read_text("/etc/os-release") or ""
    match = re.search(r"^VERSION_CODENAME=\"?([\w.-]+)\"?$", text, re.MULTILINE)
    return match[1] if match else ""


def _acquire_options() -> str:
    """The host's own way to its package sources: proxies, retries, checks of dates."""
    import subprocess

    if not shutil.which("apt-config"):
        return ""
    command = ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire"]
    dump = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if _HOST_OPTIONS.match(line))


def build(recipe: Recipe, rootfs: str, log: str, *, shared: bool) -> dict[str, str]:
    """Install a system into an empty directory, without an identity if it is ``shared``; return each package's version.

    ``log`` is the file that takes the tools' output. No service starts: policy-rc.d says so to the packages, and what
    starts all the same is killed with the build's pid namespace. Raises EngineError with the cause.
    """
    tool = _tool()
    # The mount point of the build's own /run/jails: see BUILD.
    files.make_directory(places.RUNTIME)
    answer = json.loads(run_isolated(lambda: _build_here(tool, recipe, rootfs, log, shared), network=True))
    if answer["status"] == 0:
        versions: dict[str, str] = answer["packages"]
        return versions
    output = (files.read_text(log) or "").replace(ROOT, "")
    if build_failures.says_full(output):
        raise full_disk.full("", "installing packages", rootfs)
    explanation = build_failures.explain(output, tool=tool, suite=recipe.suite)
    raise EngineError("", explanation.message, path=explanation.path, remedy=explanation.remedy)


def _tool() -> str:
    for tool in ("mmdebstrap", "debootstrap"):
        if shutil.which(tool):
            return tool
    raise EngineError(
        "",
        "neither mmdebstrap nor debootstrap is installed",
        path="source.packages",
        remedy="apt-get install mmdebstrap",
    )


def _build_here(tool: str, recipe: Recipe, rootfs: str, log: str, shared: bool) -> bytes:
    """The build itself, as the first process of its namespaces."""
    from ..._kernel import write_barriers
    from . import debootstrap, mmdebstrap

    write_barriers.ignore_write_barriers()
    show_root(rootfs)
    keys = {path: _read(path) for path in apt_sources.keyrings(recipe.stanzas)}
    run = mmdebstrap.run if tool == "mmdebstrap" else debootstrap.run
    with open(log, "wb") as output:
        status = run(recipe, output.fileno(), environment())
    if status:
        return json.dumps({"status": status}).encode()
    os.chroot(ROOT)
    os.chdir("/")
    _add_keyrings(keys)
    generic.tidy_after_packages()
    if shared:
        generic.forget_identity()
    return json.dumps({"status": 0, "packages": installed_packages()}).encode()


def show_root(rootfs: str) -> None:
    """Bind a tree to ROOT, on a BUILD that is in memory and empty but for it; in a mount namespace of our own."""
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounts.mount("tmpfs", BUILD, "tmpfs", mounts.MS_NOSUID | mounts.MS_NODEV, "mode=0755")
    for name in ("rootfs", "tmp"):
        os.mkdir(f"{BUILD}/{name}", 0o755)
    mounts.mount(f"/proc/self/fd/{root}", ROOT, None, mounts.MS_BIND)
    os.close(root)


def environment() -> dict[str, str]:
    """Environment of the tools: nothing of the caller's but its proxies."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "TMPDIR": f"{BUILD}/tmp",
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _add_keyrings(keys: Mapping[str, bytes]) -> None:
    """A source in the new system names its keyring by its path on the host; no package there need bring it."""
    for path, content in keys.items():
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)


def installed_packages(root: str = "") -> dict[str, str]:
    """Version of each installed package, from dpkg's status file."""
    with open(f"{root}/var/lib/dpkg/status", encoding="utf-8", errors="replace") as file:
        paragraphs = file.read().split("\n\n")
    found = (dict(re.findall(r"^(Package|Version|Status): (.*)$", paragraph, re.MULTILINE)) for paragraph in paragraphs)
    return {
        fields["Package"]: fields["Version"]
        for fields in found
        if fields.get("Status", "").endswith(" installed") and "Version" in fields
    }
