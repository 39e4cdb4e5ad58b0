# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..._kernel import files
from ..errors import EngineError
from .manifests import TemplateManifest

_SHOWN = 10
_UPGRADE = re.compile(r"^Inst (?P<package>\S+)(?: \[(?P<old>[^\]]*)\])? \((?P<new>\S+)", re.MULTILINE)
_LATER = "the template itself is as it was"


def outdated(manifest: TemplateManifest, source: Mapping[str, Any]) -> list[str]:
    """What a build from ``source`` would bring that a generation does not have, a line each; nothing is changed.

    For packages this asks the package sources, for an archive it reads it. Raises EngineError when it cannot tell.
    """
    if source.get("packages") is not None:
        lines = _packages(manifest, source["packages"])
        more = len(lines) - _SHOWN
        return [*lines[:_SHOWN], f"and {more} more"] if more > 0 else lines
    if source.get("archive"):
        return _archive(manifest, source["archive"]["path"])
    return []


def _archive(manifest: TemplateManifest, path: str) -> list[str]:
    from . import archive

    old = manifest.facts.get("checksum", "")
    new = archive.checksum_of(path, algorithm=old.partition(":")[0])
    return [] if old == new else [f"{path}: {old[:19]} -> {new[:19]}"]


def _packages(manifest: TemplateManifest, options: Mapping[str, Any]) -> list[str]:
    from . import build_failures, packages, templates
    from .isolation import run_isolated

    recipe = packages.resolve(options)
    built_from = manifest.facts.get("suite")
    if built_from != recipe.suite:
        return [f"suite: {built_from} -> {recipe.suite}"]
    answer = json.loads(run_isolated(lambda: _ask_apt(recipe, templates.rootfs(manifest)), network=True))
    if answer["status"]:
        found = build_failures.explain(answer["output"], tool="apt-get", suite=recipe.suite)
        message = f"template {manifest.template}: {found.message}"
        raise EngineError("", message, path=found.path, remedy=f"{found.remedy}; {_LATER}")
    return [f"{new['package']} {new['old'] or ''} -> {new['new']}" for new in _UPGRADE.finditer(answer["output"])]


def _ask_apt(recipe: Any, rootfs: str) -> bytes:
    """The host's apt, told that its system is the generation: no program of that runs, and nothing is written to it."""
    import subprocess

    from . import packages

    packages.show_root(rootfs)
    for name in ("state/lists/partial", "cache/archives/partial", "etc/sources.list.d", "etc/preferences.d"):
        os.makedirs(f"{packages.BUILD}/{name}")
    _write(f"{packages.BUILD}/etc/sources.list.d/host.sources", recipe.sources)
    _write(f"{packages.BUILD}/apt.conf", recipe.apt_options + _configuration(packages.BUILD, packages.ROOT))
    environment = {**packages.environment(), "APT_CONFIG": f"{packages.BUILD}/apt.conf"}
    for command in (["apt-get", "update", "--error-on=any"], ["apt-get", "--simulate", "dist-upgrade"]):
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        if done.returncode:
            break
    return json.dumps({"status": done.returncode, "output": done.stdout.decode("utf-8", "replace")}).encode()


def _configuration(build: str, root: str) -> str:
    return f"""\
Dir::State "{build}/state";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::State::extended_states "{root}/var/lib/apt/extended_states";
Dir::Cache "{build}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{build}/etc/sources.list.d";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{build}/etc/preferences.d";
Acquire::Languages "none";
APT::Install-Recommends "false";
"""


def _write(path: str, content: str) -> None:
    files.write_atomic(path, content, mode=0o644, sync=False)
