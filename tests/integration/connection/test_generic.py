# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own tests of every connection plugin, in the very release that is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ansible.release import __version__
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.connection import plays
from ansible_collections.hosting.jails.tests.integration.connection.talk import Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

_DIRECTORY = f"ansible_core-{__version__}/test/integration/targets/connection"


@pytest.fixture(scope="session")
def target() -> Path:
    """Core's directory of these tests; only its source distribution has it."""
    sources = jails.BUILD / "core"
    archive = sources / f"ansible_core-{__version__}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "ansible-core"]
        done = subprocess.run([*command, "--dest", sources, f"ansible-core=={__version__}"], check=False)
        if done.returncode:
            pytest.skip("there is no package index with Ansible's sources")
    with tarfile.open(archive) as tar:
        tar.extractall(sources, [member for member in tar if member.name.startswith(f"{_DIRECTORY}/")])
    return sources / _DIRECTORY


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "by-files"])
def test_cores_own_tests_of_connections_pass(
    way: Variables, it: Jail, target: Path, tmp_path: Path, pipelining: bool
) -> None:
    shutil.copytree(target, tmp_path / "connection")
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {it.name: {}}, "vars": way}}))
    extra = {
        "target_hosts": "all",
        "action_prefix": "",
        "local_tmp": str(tmp_path / "local"),
        "remote_tmp": "/tmp/remote",
    }
    environment = {
        **plays.environment(tmp_path),
        "ANSIBLE_PIPELINING": str(pipelining),
        "INVENTORY": str(inventory),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "test.sh", "--extra-vars", json.dumps(extra)],
        cwd=tmp_path / "connection",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "SUCCESS: Connection vars not found" in done.stdout
