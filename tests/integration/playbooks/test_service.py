# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role service: the examples of its README, but for their names, and from a root that is built already."""

from __future__ import annotations

import re
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import CHECKOUT, Jail, debian_root, wait_until
from ansible_collections.hosting.jails.tests.integration.playbooks.site import PREFIX, Run, Site

README = CHECKOUT / "roles" / "service" / "README.md"
WWW, CACHE = Jail(f"{PREFIX}www"), Jail(f"{PREFIX}cache")
TEMPLATE = f"{PREFIX}services"
FIRST = slice(1)


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"(?:^    .*\n|^\n)+", README.read_text(encoding="utf-8"), re.MULTILINE)
    return [play for block in blocks if "- hosts:" in block for play in yaml.safe_load(block)]


class Services:
    """The plays of the README, each under a name that is the tests'."""

    def __init__(self, directory: Path) -> None:
        self.site = Site(directory)
        self.plays = [{**play, "gather_facts": False, "become": False} for play in examples()]
        for play in self.plays:
            variables = play["roles"][0]["vars"]
            variables["service_name"] = f"{PREFIX}{variables['service_name']}"
            variables["service_directory"] = str(directory / variables["service_name"])

    def variables(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.plays[number]["roles"][0]["vars"]
        return found

    def run(self, *arguments: str, plays: slice = slice(None), **extra: Any) -> Run:
        book = self.site.directory / "services.yml"
        book.write_text(yaml.safe_dump(self.plays[plays]))
        source = {"archive": {"path": str(debian_root())}}
        return self.site.run(
            str(book), *arguments, service_template=TEMPLATE, service_source=source, cache_password="sesame", **extra
        )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    directory = tmp_path_factory.mktemp("services")
    with jails.nothing_left(PREFIX):
        try:
            yield Services(directory)
        finally:
            for jail in (WWW, CACHE):
                jail.remove()
            jails.templates.remove(TEMPLATE)
            shutil.rmtree(directory)


def redis(*words: str) -> str:
    """What the server answers to a command, after the password."""
    request = f"AUTH sesame\r\n{' '.join(words)}\r\n"
    with socket.create_connection(("10.34.2.2", 6379), timeout=60) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as answer:
            return answer.read()


def page() -> str:
    with urllib.request.urlopen("http://10.34.2.1/", timeout=60) as answer:
        return str(answer.read().decode())


def test_the_examples_serve(services: Services) -> None:
    assert services.run().changed() > 0
    assert page() == "Served from a jail.\n"
    assert redis("SET", "key", "value").splitlines() == ["+OK", "+OK"]


def test_a_second_run_changes_nothing(services: Services) -> None:
    pids = (WWW.pid, CACHE.pid)
    assert services.run().changed() == 0
    assert (WWW.pid, CACHE.pid) == pids


def test_a_secret_belongs_to_the_jails_own_user_alone(services: Services) -> None:
    secret = Path(services.variables(1)["service_directory"], "files/etc/redis/jail.conf").stat()
    base = CACHE.describe()["uid_base"]
    assert secret.st_mode & 0o777 == 0o400
    assert secret.st_uid == base + int(CACHE.output("id", "-u", "redis"))


def test_a_changed_file_restarts_its_service(services: Services) -> None:
    pid = WWW.pid
    services.variables(0)["service_files"][1]["content"] = "Changed.\n"
    assert services.run(plays=FIRST).changed() == 2
    assert page() == "Changed.\n"
    assert WWW.pid != pid


def test_data_outlives_the_root_file_system(services: Services) -> None:
    CACHE.converge(part="rootfs", reset=True, apply="restart")
    assert wait_until(lambda: CACHE.run("redis-cli", "-h", "10.34.2.2", "ping").returncode == 0)
    assert "value" in redis("GET", "key")


def test_a_service_that_does_not_serve_fails(services: Services) -> None:
    run = services.run(plays=FIRST, service_health={"command": ["false"], "seconds": 1})
    assert run.status != 0
    assert "Run its check in the jail" in run.output


def test_an_absent_service_leaves_its_files_and_takes_the_template_that_is_nobody_elses(services: Services) -> None:
    directory = Path(services.variables(1)["service_directory"])
    assert services.run("--check", plays=FIRST, service_state="absent").changed() == 1
    assert services.run(plays=slice(1, 2), service_state="absent").changed() == 1
    assert services.run("--check", plays=FIRST, service_state="absent").changed() == 2
    assert (WWW.state, CACHE.state) == ("running", "stopped")
    assert services.run(plays=FIRST, service_state="absent").changed() == 2
    assert WWW.state == "stopped"
    assert jails.templates.current(TEMPLATE) is None
    assert (directory / "data/var/lib/redis").is_dir()
