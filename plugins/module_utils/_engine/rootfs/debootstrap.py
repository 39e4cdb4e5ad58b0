# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..._kernel import mounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .packages import Recipe

# Without a variant debootstrap installs what mmdebstrap calls important.
_SMALL_VARIANTS = ("essential", "apt", "minbase")
_POLICY = "#!/bin/sh\nexit 101\n"
_APT = ("apt-get", "--yes", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0")


def run(recipe: Recipe, output: int, environment: Mapping[str, str]) -> int:
    """Build ``packages.ROOT`` with debootstrap(8), where mmdebstrap is not installed; return the exit status.

    debootstrap knows one source without updates, and no dependencies: it makes the base, and the base's own apt does
    the rest with all sources.
    """
    from . import packages

    base = recipe.stanzas[0]
    keyring = next((word for word in base.get("Signed-By", "").split() if word.startswith("/")), None)
    command = ["debootstrap", *(["--variant=minbase"] if recipe.variant in _SMALL_VARIANTS else [])]
    command += [f"--keyring={keyring}"] if keyring else []
    command += [f"--components={','.join(base.get('Components', 'main').split())}"]
    # The base's own apt goes on with the sources, and verifies them itself.
    command += ["--include=ca-certificates"] if "https:" in recipe.sources else []
    status = _run([*command, recipe.suite, packages.ROOT, base["URIs"].split()[0]], output, environment)
    if status:
        return status
    _prepare_apt(recipe, packages.ROOT)
    steps: list[Sequence[str]] = [("apt-get", "update"), (*_APT, "dist-upgrade")]
    steps += [(*_APT, "install", "--", *recipe.include)] if recipe.include else []
    for step in steps:
        status = _run(["chroot", packages.ROOT, *step], output, {**environment, "TMPDIR": "/tmp"})
        if status:
            return status
    return 0


def _prepare_apt(recipe: Recipe, root: str) -> None:
    # debootstrap has made all of the tree, and no process of it has run but its own second stage: links are Debian's.
    for path, content, mode in (
        ("etc/apt/sources.list", "", 0o644),
        ("etc/apt/sources.list.d/0000host.sources", recipe.sources, 0o644),
        ("etc/apt/apt.conf.d/99mmdebstrap", recipe.apt_options, 0o644),
        ("usr/sbin/policy-rc.d", _POLICY, 0o755),
    ):
        with open(f"{root}/{path}", "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(f"{root}/{path}", mode)
    mounts.mount("proc", f"{root}/proc", "proc", mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)


def _run(command: Sequence[str], output: int, environment: Mapping[str, str]) -> int:
    import subprocess

    return subprocess.run(
        list(command), check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment)
    ).returncode
