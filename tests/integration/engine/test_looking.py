# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator sees of real jails: processes, use, and all that by the commands of FreeBSD and Linux-VServer."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places, report
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import jailctl, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

NAME = "eng-look"
LIMITS = {"memory": "128M", "pids": 50}


@pytest.fixture(scope="module")
def it(nothing_left: None) -> Iterator[jails.Jail]:
    labels = {"customer": "acme"}
    # A process of another user of the jail, one that nobody has named there, and one that calls itself what it likes.
    script = (
        "cd /; setpriv --reuid 33 sleep 1001 & setpriv --reuid 4242 sleep 1002 &"
        ' bash -c \'exec -a "$(printf "\\033]0;owned\\007")" sleep 1003\' & wait'
    )
    command = ["bash", "-c", script]
    address = {"mode": "vnet", "addresses": ["10.32.0.21/32", "fd00:32::21/128"]}
    with jails.jail(NAME, command=command, labels=labels, limits=LIMITS, ip=address) as made:
        wait_until(lambda: len(rows_of(made)) >= 5, what="all processes")
        yield made


def rows_of(made: jails.Jail) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(jailctl("ps", "--json", made.name, check=True).stdout)
    return found


def test_processes_have_the_numbers_of_both_sides(it: jails.Jail) -> None:
    base = it.describe()["uid_base"]
    by_command = {row["command"]: row for row in rows_of(it)}
    www, unnamed = by_command["sleep 1001"], by_command["sleep 1002"]
    assert (www["user"], www["jail_uid"], www["uid"]) == ("www-data", 33, base + 33)
    assert (unnamed["user"], unnamed["jail_uid"], unnamed["uid"]) == ("4242", 4242, base + 4242)
    init = next(row for row in rows_of(it) if row["pid"] == it.pid)
    assert (init["jail_pid"], init["user"], init["name"]) == (1, "root", NAME)
    for row in rows_of(it):
        status = it.output("cat", f"/proc/{row['jail_pid']}/cmdline").replace("\0", " ").strip()
        assert status == row["command"]


def test_a_process_is_shown_without_what_it_would_do_to_a_terminal(it: jails.Jail) -> None:
    shown = jailctl("ps", NAME, check=True).stdout
    assert "\x1b" not in shown
    assert "?]0;owned? 1003" in shown
    assert any(row["command"].startswith("\x1b]0;owned\x07") for row in rows_of(it))


def test_the_jail_of_any_process_is_found(it: jails.Jail) -> None:
    pid = next(row["pid"] for row in rows_of(it) if row["command"] == "sleep 1001")
    (row,) = json.loads(jailctl("ps", "--json", "--pid", str(pid), check=True).stdout)
    assert (row["name"], row["pid"], row["user"]) == (NAME, pid, "www-data")
    outside = jailctl("ps", "--pid", str(os.getpid()))
    assert outside.returncode == 1
    assert "is in no jail" in outside.stderr


@pytest.mark.parametrize(
    "passwd", ["root", "pipe", "away", "endless", "nonsense"], ids=lambda kind: f"passwd-is-{kind}"
)
def test_a_jail_cannot_mislead_who_reads_its_passwd(it: jails.Jail, passwd: str) -> None:
    """Its /etc/passwd is whatever its root has put there: another name, a pipe, a link to the host's, or rubbish."""
    makes = {
        "root": "sed -i s/^www-data:/evil:/ /etc/passwd",
        "pipe": "rm /etc/passwd; mkfifo /etc/passwd",
        "away": "rm /etc/passwd; ln -s ../../../../../../proc/1/root/etc/hostname /etc/passwd",
        "endless": "rm /etc/passwd; ln -s /dev/zero /etc/passwd",
        "nonsense": "printf 'x:y:z\\n\\377\\n:::::::\\na:b:99999999999999999999:1:1:1:1\\n' >/etc/passwd",
    }
    it.script(f"cp /etc/passwd /etc/passwd.kept; {makes[passwd]}")
    try:
        www = next(row for row in rows_of(it) if row["command"] == "sleep 1001")
        assert www["user"] == ("evil" if passwd == "root" else "33")
        assert www["jail_uid"] == 33
    finally:
        it.script("rm -f /etc/passwd; mv /etc/passwd.kept /etc/passwd", options=["--user", "0"])


def test_use_is_measured(it: jails.Jail) -> None:
    busy = subprocess.Popen(
        [*jails.jailctl_command("exec", NAME, "--", "timeout", "1000", "sh", "-c", "while :; do :; done")]
    )
    try:
        jails.wait_until(lambda: any("while" in row["command"] for row in rows_of(it)), what="somebody to be busy")
        (row,) = json.loads(jailctl("top", "--json", "--interval", "2", NAME, check=True).stdout)
    finally:
        busy.kill()
        busy.wait()
    assert 1 < row["cpu_percent"] <= 110
    assert row["pids_limit"] == 50
    assert row["memory_limit"] == 128 << 20
    assert row["memory_percent"] == pytest.approx(100 * row["memory"] / (128 << 20), abs=0.1)
    table = jailctl("top", "--once", NAME, check=True).stdout.splitlines()
    assert table[0].split() == ["NAME", "STATE", "CPU%", "MEMORY", "LIMIT", "MEM%", "PIDS", "PIDS_LIMIT"]
    assert table[1].split()[0] == NAME


def test_the_table_is_shown_again_and_again_until_q(it: jails.Jail) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = jails.jailctl_command("top", "--interval", "0.3", NAME)
        os.execv(command[0], command)
    shown = b""
    while shown.count(b"PIDS_LIMIT") < 3:
        assert select.select([terminal], [], [], jails.PATIENCE)[0], shown
        shown += os.read(terminal, 4096)
    os.write(terminal, b"q")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert NAME.encode() in shown


def test_many_jails_are_looked_at_in_one_pass(it: jails.Jail) -> None:
    """What does not match is not looked into, and what is told is what was told of one jail."""
    (row,) = report.describe_all([NAME], ("resources", "network"), {"customer": "acme"})
    assert row["network"] == it.describe("network")["network"]
    assert report.describe_all([NAME], ("processes",), {"customer": "nobody"}) == []


def test_labels_and_addresses_are_those_of_now_not_of_the_start(it: jails.Jail) -> None:
    document = it.describe("document")["document"]
    address = {"addresses": ["10.32.0.22/32"]}
    try:
        it.converge(labels={"customer": "other"}, ip={**document["ip"], **address}, hostname="later")
        row = it.describe()
        assert (row["labels"], row["addresses"]) == ({"customer": "other"}, ["10.32.0.22/32"])
        assert row["hostname"] == NAME
    finally:
        it.converge(labels=document["labels"], ip=document["ip"], hostname=NAME)


def program(name: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """jailctl of this checkout under one of its other names, as its link has it called."""
    command = [install.interpreter(), "-IS", "-c", "", *words]
    entry = f"{install.PREFIX}/{install.engine_version()}/jailctl.py"
    install.ensure_engine()
    script = f"import sys; sys.argv[0] = {name!r}; exec(open({entry!r}).read())"
    command[3] = script
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)


def test_jls_lists_what_runs(it: jails.Jail) -> None:
    number = it.describe()["id"]
    line = next(line for line in program("jls").stdout.splitlines() if NAME in line)
    assert line.split() == [str(number), "10.32.0.21", NAME, f"/var/lib/jails/roots/{NAME}"]
    assert program("jls", "-j", NAME, "ip6.addr").stdout == "fd00:32::21\n"
    assert program("jls", "-j", "eng-nobody").returncode == 1


def test_jexec_runs_a_command_by_number_and_name(it: jails.Jail) -> None:
    for jail in (NAME, str(it.describe()["id"])):
        done = program("jexec", jail, "sh", "-c", "hostname; exit 7")
        assert (done.stdout, done.returncode) == (f"{NAME}\n", 7)
    assert (
        program("jexec", "-l", "-U", "www-data", "-d", "/tmp", NAME, "sh", "-c", "id -un; pwd").stdout
        == "www-data\n/tmp\n"
    )
    missing = program("jexec", "eng-nobody", "true")
    assert (missing.returncode, missing.stderr) == (1, 'jexec: jail "eng-nobody" not found\n')


def test_vserver_stat_sums_up_each_jail(it: jails.Jail) -> None:
    lines = program("vserver-stat").stdout.splitlines()
    assert lines[0] == "CTX   PROC    VSZ    RSS  userTIME   sysTIME    UPTIME NAME"
    assert lines[1].endswith(" root server")
    line = next(line for line in lines if line.endswith(f" {NAME}"))
    context, processes, virtual, resident = line.split()[:4]
    assert (int(context), int(processes)) == (it.describe()["id"], len(rows_of(it)))
    assert re.fullmatch(r"[\d.]+[KMG]", virtual)
    assert re.fullmatch(r"[\d.]+[KM]", resident)


def test_vserver_does_what_it_did(it: jails.Jail) -> None:
    status = program("vserver", NAME, "status")
    assert status.returncode == 0
    assert status.stdout.splitlines()[0] == f"Vserver '{NAME}' is running at context '{it.describe()['id']}'"
    assert program("vserver", NAME, "exec", "hostname").stdout == f"{NAME}\n"
    assert program("vserver", NAME, "suexec", "www-data", "id", "-un").stdout == "www-data\n"
    assert program("vserver", NAME, "running").returncode == 0
    assert program("vserver", NAME, "stop").returncode == 0
    assert it.state == "stopped"
    stopped = program("vserver", NAME, "status")
    assert (stopped.returncode, stopped.stdout) == (3, f"Vserver '{NAME}' is stopped\n")
    assert program("vserver", "--silent", NAME, "status").stdout == ""
    assert program("vserver", NAME, "running").returncode == 1
    assert program("vserver", NAME, "condrestart").returncode == 0
    assert it.state == "stopped"
    assert program("vserver", NAME, "start").returncode == 0
    before = it.pid
    assert program("vserver", NAME, "restart").returncode == 0
    assert it.state == "running"
    assert it.pid != before
    assert program("vserver", "eng-nobody", "start").returncode == 5
    build = program("vserver", "eng-nobody", "build")
    assert (build.returncode, "docs/old-hands.md" in build.stderr) == (2, True)


def test_the_names_are_links_to_jailctl(it: jails.Jail) -> None:
    for name in places.OTHER_NAMES:
        if not os.path.lexists(f"{install._LOCAL_PROGRAMS}/{name}"):
            assert os.readlink(f"/usr/local/sbin/{name}") == "jailctl"
    done = subprocess.run(["/usr/local/sbin/vserver", NAME, "running"], capture_output=True, check=False)
    assert done.returncode == 0
