# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx as docs/services/nginx.md has it, fetched from by curl and from this very process."""

from __future__ import annotations

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import pages
from ansible_collections.hosting.jails.tests.services.ground import LINK
from ansible_collections.hosting.jails.tests.services.inside import users_of

PAGE = pages.Page("nginx")
FILES = Path("/srv/jails/www/files")
LOGS = Path("/srv/jails/www/data/var/log/nginx")
ADDRESS, SHARED = "10.36.0.1", "10.35.0.36"
# Of both families, as the distribution's site listens on both.
ON_HOSTS_STACK = {"mode": "shared", "interface": LINK, "addresses": [f"{SHARED}/32", "fd00:35::36/128"]}
TEXT = "Served from a jail.\n"


@pytest.fixture(scope="module")
def www(machine: int) -> Iterator[Jail]:
    with pages.serving(PAGE, machine) as jail:
        yield jail


def fetch(address: str = ADDRESS) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=2) as answer:
        return str(answer.read().decode())


def header(name: str) -> str | None:
    with urllib.request.urlopen(f"http://{ADDRESS}/", timeout=2) as answer:
        found: str | None = answer.headers[name]
        return found


def curl(*arguments: str) -> str:
    done = subprocess.run(["curl", "--silent", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_it_serves_a_page(www: Jail) -> None:
    assert fetch() == TEXT
    assert curl(f"http://{ADDRESS}/") == TEXT


def test_fifty_clients_at_once_are_served(www: Jail) -> None:
    asked = ["--parallel", "--parallel-immediate", "--parallel-max", "50", "--write-out", "%{http_code}\n"]
    codes = curl(*asked, "--output", "/dev/null", f"http://{ADDRESS}/?[1-1000]").split()
    assert codes == ["200"] * 1000


def test_its_master_is_root_and_its_workers_are_www_data(www: Jail) -> None:
    assert users_of(www, "nginx") == {0, 33}


def test_a_reload_takes_a_new_configuration_and_new_workers(www: Jail) -> None:
    before = www.pid
    configuration = FILES / "etc/nginx/conf.d/www.conf"
    configuration.write_text(configuration.read_text() + "add_header X-Version 2;\n")
    assert header("X-Version") is None
    www.output("nginx", "-s", "reload")
    assert wait_until(lambda: header("X-Version")) == "2"
    assert www.pid == before


def test_a_rotated_log_is_opened_again(www: Jail) -> None:
    rotated = LOGS / "access.log.1"
    fetch()
    (LOGS / "access.log").rename(rotated)
    www.output("nginx", "-s", "reopen")
    wait_until((LOGS / "access.log").exists)
    lines = len(rotated.read_text().splitlines())
    wait_until(lambda: fetch() and (LOGS / "access.log").read_text())
    assert len(rotated.read_text().splitlines()) <= lines + 1


def test_it_serves_from_an_address_on_the_hosts_own_stack(www: Jail) -> None:
    caps = {**PAGE.document["caps"], "keep": [*PAGE.document["caps"]["keep"], "NET_BIND_SERVICE"]}
    with pages.changed(www, ip=ON_HOSTS_STACK, caps=caps):
        assert wait_until(lambda: fetch(SHARED)) == TEXT


def test_on_the_hosts_own_stack_a_low_port_takes_the_capability(www: Jail) -> None:
    refusal = "bind() to 0.0.0.0:80 failed (13: Permission denied)"
    # Its end may come within the task or a moment later.
    with contextlib.suppress(EngineError), pages.changed(www, ip=ON_HOSTS_STACK):
        wait_until(lambda: refusal in www.log())
    assert refusal in www.log()


@pytest.mark.parametrize("capability", PAGE.document["caps"]["keep"])
def test_it_needs_every_capability_that_its_page_keeps(www: Jail, capability: str) -> None:
    www.output("nginx", "-s", "reopen")
    # From the beginning: what an earlier master had the power to make would do for the next.
    www.converge(state="stopped")
    www.converge(part="rootfs", reset=True)
    assert not pages.serves_without(www, capability, fetch)


def test_it_serves_as_www_data_without_any_capability(www: Jail, tmp_path: Path) -> None:
    PAGE.variables.update(PAGE.others[0])
    run = PAGE.run(tmp_path)
    assert run.status == 0, run.output
    assert fetch() == TEXT
    assert users_of(www, "nginx") == {33}
