# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Four jails to break out of, made once for the suite.

``app`` is what a service gets by default. ``system`` boots a whole Debian, whose root may mount and manage its network.
``weak`` is an app jail without a filter and with CAP_SYS_ADMIN: what it cannot do, the kernel's own boundaries refuse.
``other`` is the neighbour that the others look for.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration import jails

from . import prisoners
from .prisoners import Outside, Prisoner


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    with jails.nothing_left(prisoners.PREFIX), jails.template(prisoners.TEMPLATE), Outside() as found:
        yield found


@pytest.fixture(scope="module")
def link() -> Iterator[str]:
    """A link of the host that leads nowhere, with an address of the host's."""
    name = prisoners.LINK
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "escsh1"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        subprocess.run(["ip", "address", "add", f"{prisoners.OF_THE_HOST}/24", "dev", name], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], check=True)


@pytest.fixture(scope="session")
def neighbour(outside: Outside) -> Iterator[Prisoner]:
    """A jail with a stranger in it. It has no filter, so that it has keys."""
    with outside.prisoner("other", caps={"seccomp": "none"}) as made:
        command = jails.jailctl_command("exec", made.name, "--", "python3", "/probe/stranger.py")
        outside.strangers.append(outside.stranger(command))
        yield made


def _kind(name: str, **document: Any) -> Any:
    @pytest.fixture(scope="session", name=name)
    def made(outside: Outside, neighbour: Prisoner) -> Iterator[Prisoner]:
        with outside.prisoner(name, **document) as prisoner:
            yield prisoner

    return made


app = _kind("app")
system = _kind("system", init="system")
weak = _kind("weak", caps={"keep": ["SYS_ADMIN"], "seccomp": "none"})


@pytest.fixture(scope="session", params=["app", "system", "weak"])
def any_jail(request: pytest.FixtureRequest) -> Prisoner:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["app", "system"])
def filtered(request: pytest.FixtureRequest) -> Prisoner:
    """The jails as people have them."""
    return request.getfixturevalue(request.param)
