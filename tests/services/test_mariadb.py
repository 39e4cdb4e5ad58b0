# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MariaDB as docs/services/mariadb.md has it, under mysqlslap from another jail."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import truth
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import inside, pages

PAGE = pages.Page("mariadb")
ADDRESS, CLIENT = "10.36.0.4", "10.36.0.14"
*_SHELL, _SCRIPT = PAGE.variables["service_command"]
LOCKING = [*_SHELL, _SCRIPT.replace("exec mariadbd", "exec mariadbd --memlock")]


@pytest.fixture(scope="module")
def server(machine: int) -> Iterator[Jail]:
    with pages.serving(PAGE, machine) as jail:
        sql(jail, "create user bench@'10.36.0.%' identified by 'sesame'", "grant all on *.* to bench@'10.36.0.%'")
        yield jail


@pytest.fixture(scope="module")
def client(server: Jail) -> Iterator[Jail]:
    with pages.client_of(PAGE, CLIENT) as jail:
        yield jail


def sql(jail: Jail, *statements: str) -> str:
    """What statements answer that the server's own user sends through its socket."""
    return jail.output("mariadb", "-BN", "-e", "; ".join(statements), options=("--user", "mysql")).strip()


def is_up(jail: Jail) -> bool:
    return jail.run("mysqladmin", "ping", options=("--user", "mysql")).returncode == 0


def slap(*options: str) -> list[str]:
    reached = ["--host", ADDRESS, "--user", "bench", "--password=sesame"]
    return ["mysqlslap", *reached, "--auto-generate-sql", "--concurrency=4", "--number-of-queries=400", *options]


@pytest.mark.parametrize("engine", ["InnoDB", "Aria"])
def test_it_serves_mysqlslap_from_another_jail(server: Jail, client: Jail, engine: str) -> None:
    said = client.output(*slap(f"--engine={engine}", "--auto-generate-sql-load-type=mixed"), timeout=120)
    assert "Number of clients running queries: 4" in said


def test_nobody_in_it_has_any_capability(server: Jail) -> None:
    assert inside.capabilities_of(server) == {0}
    assert inside.users_of(server, "mariadbd") == {int(server.output("id", "-u", "mysql"))}


def test_it_does_without_io_uring_which_no_jail_has_and_takes_the_older_aio(server: Jail) -> None:
    assert "io_uring_queue_init() failed with EPERM" in server.log()
    assert "falling back to libaio" in server.log()
    assert sql(server, "show variables like 'innodb_use_native_aio'").split() == ["innodb_use_native_aio", "ON"]


def locked(jail: Jail) -> int:
    """KiB of memory that the server has locked."""
    wait_until(lambda: is_up(jail), timeout=30)
    status = list(inside.of(jail, "mariadbd").values())[0]
    return int(status["VmLck"].split()[0])


def test_it_does_not_lock_more_memory_than_its_limit(server: Jail) -> None:
    with pages.changed(server, command=LOCKING):
        assert locked(server) == 0
        assert "Failed to lock memory" in server.log()
    wait_until(lambda: is_up(server), timeout=30)


@pytest.mark.skipif(not truth.raises_limits(), reason="this machine's root may not raise hard limits")
def test_it_locks_its_memory_where_the_limit_allows_that(server: Jail) -> None:
    with pages.changed(server, command=LOCKING, rlimits={"memlock": "unlimited"}):
        assert locked(server) > 100 << 10
    wait_until(lambda: is_up(server), timeout=30)


def test_it_comes_back_after_a_crash_with_what_was_committed(server: Jail) -> None:
    sql(server, "create database kept", "create table kept.t (n int) engine=InnoDB", "insert into kept.t values (7)")
    before = server.pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.pid not in (0, before) and is_up(server), timeout=30)
    assert "InnoDB: Starting crash recovery" in server.log()
    assert sql(server, "select n from kept.t") == "7"
    assert server.describe()["restarts"] >= 1


def test_it_comes_back_after_somebody_has_shut_it_down_from_inside(server: Jail) -> None:
    before = server.pid
    sql(server, "shutdown")
    wait_until(lambda: server.pid not in (0, before) and is_up(server), timeout=30)


def test_a_stop_is_a_clean_shutdown(server: Jail) -> None:
    server.converge(state="stopped")
    assert "mariadbd: Shutdown complete" in server.log().rpartition("ready for connections")[2]
    server.converge(state="started")
    wait_until(lambda: is_up(server), timeout=30)
