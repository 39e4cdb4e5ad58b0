# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two ways into a jail: on this machine, and by ssh to an sshd of the tests' own."""

from __future__ import annotations

import compileall
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.connection import ssh_server
from ansible_collections.hosting.jails.tests.integration.connection.plays import Plays
from ansible_collections.hosting.jails.tests.integration.connection.ssh_server import Server
from ansible_collections.hosting.jails.tests.integration.connection.talk import Speaker, Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

# Not that of other suites, which may run at the same time.
PREFIX = "con-"
_JAILCTL = """#!{interpreter} -IS
import os, sys
sys.path.insert(0, "{directory}")
from hosting_jails._engine.cli.main import main
status = main(sys.argv)
sys.stdout.flush()
os._exit(status)
"""


template, nothing_left = jails.fixtures(PREFIX)


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """A directory into which other users of the machine may look as well."""
    path = Path(tempfile.mkdtemp(prefix="jails-connection-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def jailctl(shared: Path) -> Path:
    """The engine of this checkout, in a copy of its own: other tests install others, and remove them."""
    for name, content in install.sources().items():
        path = shared / "engine" / "hosting_jails" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    compileall.compile_dir(shared / "engine", quiet=2)
    program = shared / "jailctl"
    program.write_text(_JAILCTL.format(interpreter=install.interpreter(), directory=shared / "engine"))
    program.chmod(0o755)
    return program


@pytest.fixture(scope="session")
def server(shared: Path, jailctl: Path) -> Iterator[Server]:
    with ssh_server.serving(shared / "ssh", jailctl=jailctl) as made:
        yield made


@pytest.fixture(scope="module", params=["local", "ssh"])
def way(request: pytest.FixtureRequest, jailctl: Path) -> Variables:
    """The variables by which the host of the jails is reached."""
    common = {"ansible_connection": "hosting.jails.jail", "ansible_jailctl_executable": str(jailctl)}
    if request.param == "local":
        return common
    return {**common, **request.getfixturevalue("server").variables}


@pytest.fixture(scope="module")
def it(nothing_left: None) -> Iterator[Jail]:
    """A jail for the tests of a file."""
    with jails.jail(f"{PREFIX}it") as made:
        yield made


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Variables], Speaker]]:
    """Makes connections from variables."""
    with contextlib.ExitStack() as stack:

        def connect(variables: Variables) -> Speaker:
            made = Speaker(variables, tmp_path_factory.mktemp("speaker"))
            stack.callback(made.close)
            return made

        yield connect


@pytest.fixture(scope="module")
def talk(way: Variables, it: Jail, speakers: Callable[[Variables], Speaker]) -> Speaker:
    """A connection into the jail, each way."""
    return speakers({**way, "inventory_hostname": it.name})


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


@pytest.fixture
def host_directory(tmp_path: Path) -> Path:
    """A directory of the host that no jail may reach, with a secret in it."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "secret").write_text("the host's\n")
    return tmp_path
