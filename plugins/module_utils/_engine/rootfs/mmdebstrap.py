# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .packages import Recipe


def run(recipe: Recipe, output: int, environment: Mapping[str, str]) -> int:
    """Build ``packages.ROOT`` with mmdebstrap(1); return its exit status. Its output goes to a descriptor.

    It runs apt itself, so it takes all of the host's package sources and settles dependencies as apt does, and it
    keeps services from starting by policy-rc.d and a replaced start-stop-daemon.
    """
    import subprocess

    from . import packages

    sources = f"{packages.BUILD}/host.sources"
    options = f"{packages.BUILD}/apt.conf"
    for path, content in ((sources, recipe.sources), (options, recipe.apt_options)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    command = ["mmdebstrap", "--verbose", "--mode=root", "--format=directory", f"--variant={recipe.variant}"]
    command += [f"--aptopt={options}", *(f"--include={name}" for name in recipe.include)]
    command += [recipe.suite, packages.ROOT, sources]
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment)
    ).returncode
