# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL as docs/services/postgresql.md has it, under pgbench from another jail."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import Jail, jailctl_command, wait_until
from ansible_collections.hosting.jails.tests.services import inside, pages
from ansible_collections.hosting.jails.tests.services.ground import LINK

PAGE = pages.Page("postgresql")
ADDRESS, CLIENT, SHARED = "10.36.0.3", "10.36.0.13", "10.35.0.38"
CONFIGURATION = Path("/srv/jails/db/files/etc/postgresql/jail.conf")
SCALE = 2
# A transaction of pgbench adds the same to one row of each.
BALANCES = {"pgbench_accounts": "abalance", "pgbench_tellers": "tbalance", "pgbench_branches": "bbalance"}


@pytest.fixture(scope="module")
def db(machine: int) -> Iterator[Jail]:
    with pages.serving(PAGE, machine) as jail:
        sql(jail, "create role bench login password 'sesame'")
        sql(jail, "create database bench owner bench")
        yield jail


@pytest.fixture(scope="module")
def client(db: Jail) -> Iterator[Jail]:
    with pages.client_of(PAGE, CLIENT) as jail:
        jail.output(*pgbench("-i", "-q", "-s", str(SCALE)), timeout=120)
        yield jail


def pgbench(*options: str, address: str = ADDRESS) -> list[str]:
    return ["env", "PGPASSWORD=sesame", "pgbench", "-h", address, "-U", "bench", *options, "bench"]


def sql(jail: Jail, *statements: str, database: str = "postgres") -> str:
    """What statements answer that the jail's postgres sends through its socket."""
    commands = [word for statement in statements for word in ("-c", statement)]
    return jail.output("psql", "-h", "/tmp", "-XAtq", *commands, database, options=("--user", "postgres")).strip()


def is_up(jail: Jail) -> bool:
    return jail.run("pg_isready", "-q", "-h", "/tmp").returncode == 0


def test_it_serves_pgbench_from_another_jail(db: Jail, client: Jail) -> None:
    said = client.output(*pgbench("-c", "4", "-j", "2", "-T", "3"))
    assert "number of failed transactions: 0 (" in said
    assert float(said.partition("tps = ")[2].split()[0]) > 0


def test_nobody_in_it_has_any_capability(db: Jail) -> None:
    assert inside.capabilities_of(db) == {0}
    assert inside.users_of(db, "postgres") == {int(db.output("id", "-u", "postgres"))}


@pytest.mark.parametrize("kind", ["mmap", "sysv"])
def test_it_shares_memory_of_every_kind(db: Jail, client: Jail, kind: str) -> None:
    dynamic = {"mmap": "posix", "sysv": "sysv"}[kind]
    with configured(db, f"shared_memory_type = {kind}", f"dynamic_shared_memory_type = {dynamic}"):
        assert sql(db, "show shared_memory_type", "show dynamic_shared_memory_type").split() == [kind, dynamic]
        assert "Workers Launched: 2" in parallel_count(db)
        largest = max(int(line.split()[3]) for line in db.output("cat", "/proc/sysvipc/shm").splitlines()[1:])
        assert (largest > 128 << 20) == (kind == "sysv")
        named = db.run("sh", "-c", "ls /dev/shm/PostgreSQL.*").returncode == 0
        assert named == (dynamic == "posix")
        client.output(*pgbench("-c", "4", "-T", "1"))


def parallel_count(jail: Jail) -> str:
    cheap = [
        f"set {name} = 0" for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size")
    ]
    return sql(jail, *cheap, "explain analyze select count(*) from pgbench_accounts", database="bench")


def test_the_limit_of_system_v_shared_memory_is_the_jails_own(db: Jail) -> None:
    with configured(db, "shared_memory_type = sysv"):
        # Its end may come within the task or a moment later.
        refusing = pytest.raises((AssertionError, EngineError))
        with refusing, pages.changed(db, sysctls={"kernel.shmmax": "1048576"}):
            assert is_up_within(db, seconds=3)
        assert "could not create shared memory segment: Invalid argument" in db.log()
        with pages.changed(db, sysctls={"kernel.shmmax": str(1 << 30)}):
            assert is_up_within(db, seconds=15)


@pytest.mark.parametrize("caps", [{"profile": "none", "allow": {"sysvshm": False}}, {"profile": "freebsd"}])
def test_without_system_v_shared_memory_it_says_so(db: Jail, caps: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, EngineError)), pages.changed(db, caps=caps):
        assert is_up_within(db, seconds=3)
    assert "could not create shared memory segment: Function not implemented" in db.log()
    assert is_up_within(db, seconds=15)


def test_it_runs_under_the_profile_freebsd_where_that_is_allowed_system_v_ipc(db: Jail) -> None:
    with pages.changed(db, caps={"profile": "freebsd", "allow": {"sysvipc": True}}):
        assert is_up_within(db, seconds=15)


def test_shared_memory_is_as_large_as_a_mount_says(db: Jail) -> None:
    shared = {"type": "tmpfs", "target": "/dev/shm", "size": "8M"}
    with jails.jail("small", rootfs={"source": {"template": PAGE.template}}, mounts=[shared]) as jail:
        assert jail.script("df -k --output=size /dev/shm | tail -n 1").strip() == "8192"
        assert "No space left" in jail.run("sh", "-c", "head -c 9M /dev/zero > /dev/shm/it").stderr


def test_what_was_committed_outlives_the_death_of_the_jail(db: Jail, client: Jail) -> None:
    before = db.pid
    load = subprocess.Popen(
        jailctl_command("exec", "client", "--", *pgbench("-c", "4", "-T", "30")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with load:
        transactions = int(sql(db, "select count(*) from pgbench_history", database="bench"))
        wait_until(lambda: int(sql(db, "select count(*) from pgbench_history", database="bench")) > transactions + 20)
        sql(db, "create table witness (seen int)", "insert into witness values (1)", database="bench")
        os.kill(before, signal.SIGKILL)
        load.wait(timeout=20)
    wait_until(lambda: db.state == "running" and db.pid not in (0, before))
    assert is_up_within(db, seconds=30)
    assert "database system was not properly shut down; automatic recovery in progress" in db.log()
    assert sql(db, "select seen from witness", database="bench") == "1"
    sums = [f"(select sum({column}) from {table})" for table, column in BALANCES.items()]
    assert len(set(sql(db, f"select {', '.join(sums)}", database="bench").split("|"))) == 1


def test_a_stop_is_a_clean_shutdown_with_clients_connected(db: Jail, client: Jail) -> None:
    with subprocess.Popen(
        jailctl_command("exec", "client", "--", *pgbench("-c", "2", "-T", "30")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as load:
        wait_until(lambda: sql(db, "select count(*) from pg_stat_activity where usename = 'bench'") == "2")
        db.converge(state="stopped")
        load.wait(timeout=20)
    assert db.log().rstrip().endswith("database system is shut down")
    db.converge(state="started")
    assert is_up_within(db, seconds=15)
    assert "not properly shut down" not in db.log().rpartition("database system is shut down")[2]


def test_it_serves_from_an_address_on_the_hosts_own_stack(db: Jail, client: Jail) -> None:
    with pages.changed(db, ip={"mode": "shared", "interface": LINK, "addresses": [f"{SHARED}/32"]}):
        assert is_up_within(db, seconds=15)
        client.output(*pgbench("-c", "4", "-T", "1", address=SHARED))


def test_the_cluster_that_the_package_made_runs_under_the_profile_service(db: Jail) -> None:
    with jails.jail("cluster", rootfs={"source": {"template": PAGE.template}}) as jail:
        jail.script("pg_ctlcluster $(ls /etc/postgresql) main start")
        assert jail.output("psql", "-XAtc", "select 1", options=("--user", "postgres")) == "1\n"
        jail.script("pg_ctlcluster $(ls /etc/postgresql) main stop")


def is_up_within(jail: Jail, *, seconds: float) -> bool:
    try:
        return wait_until(lambda: is_up(jail), timeout=seconds)
    except AssertionError:
        return False


class configured:
    """Restart the server with more lines of configuration for the length of a block."""

    def __init__(self, jail: Jail, *lines: str) -> None:
        self.jail, self.lines = jail, lines

    def __enter__(self) -> None:
        self.before = CONFIGURATION.read_text()
        self._restart(self.before + "".join(f"{line}\n" for line in self.lines))

    def __exit__(self, *_unused: object) -> None:
        self._restart(self.before)

    def _restart(self, text: str) -> None:
        CONFIGURATION.write_text(text)
        self.jail.converge(state="restarted")
        assert is_up_within(self.jail, seconds=15), self.jail.log()[-2000:]
