# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What jailctl verify says of jails of every profile, in every mode of the network; and that it says what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.catalogue import ATTACKS
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import LINK, Outside, Prisoner

_JAILS: dict[str, dict[str, Any]] = {
    "none": {"caps": {"profile": "none"}, "ip": {"mode": "none"}},
    "service": {"caps": {"profile": "service"}, "ip": {"mode": "vnet", "addresses": ["10.21.8.11"]}},
    "freebsd": {
        "caps": {"profile": "freebsd"},
        "ip": {"mode": "shared", "interface": LINK, "addresses": ["10.21.9.14"]},
    },
    "secure": {"caps": {"profile": "secure"}, "ip": {"mode": "host"}},
    "freebsd-on-host": {
        "caps": {"profile": "freebsd", "user_namespace": False, "no_new_privileges": False},
        "ip": {"mode": "shared", "interface": LINK, "addresses": ["10.21.9.16"]},
    },
    "vps": {"init": "system", "ip": {"mode": "vnet", "admin": True, "addresses": ["10.21.8.13"]}},
}
# Likewise without a user namespace.
_MORE_JAILS: dict[str, dict[str, Any]] = {
    "none-on-host": {"caps": {"profile": "none", "user_namespace": False}, "ip": {"mode": "none"}},
    "service-on-host": {
        "caps": {"profile": "service", "user_namespace": False},
        "ip": {"mode": "vnet", "addresses": ["10.21.8.15"]},
    },
    "secure-on-host": {"caps": {"profile": "secure", "seccomp": "strict", "user_namespace": False}},
}
# What there is nothing to try for, by the kind of jail and of machine.
_SKIPPED = {
    "list_links_of_the_host",
    "bind_addresses_of_the_host",
    "send_from_addresses_of_the_host",
    "bind_our_own_addresses",
    "uncover_masks",
    "read_under_masks",
    "find_descriptors_in_init",
    "call_as_i386",
    "call_as_x32",
    "trace_own_processes",
    "stack_landlock",
    "read_keys_of_others",
    "send_from_addresses_of_others",
}


def _verify(jail: Prisoner, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings by attack."""
    done = jails.jailctl("verify", jail.name, "--json", *options)
    assert done.stderr == "", done
    return done.returncode, {row["attack"]: row for row in json.loads(done.stdout)}


def _on_the_host() -> list[str]:
    """Whatever a verification might leave: objects, files, sockets, processes."""
    found = [line for kind in ("shm", "sem", "msg") for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()]
    places = ("/tmp", "/run", "/dev/shm", "/var/tmp", "/var/lib/jails")
    found += [f"{place}/{name}" for place in places for name in os.listdir(place)]
    found += [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if "verify-" in line]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_text())
    return sorted(entry for entry in found if "verify-" in entry or entry.lstrip()[:1].isdigit())


@pytest.mark.parametrize(
    "profile", [*_JAILS, *(pytest.param(name, marks=pytest.mark.thorough) for name in _MORE_JAILS)]
)
def test_a_jail_of_each_profile_and_network_keeps_to_its_document(outside: Outside, link: str, profile: str) -> None:
    with outside.prisoner(f"verify-{profile}", **{**_JAILS, **_MORE_JAILS}[profile]) as jail:
        before = _on_the_host()
        inside, processes = jail.script("ls -A / /dev/shm"), jails.processes_of(jail.name)
        status, findings = _verify(jail)
        assert {name: row for name, row in findings.items() if row["verdict"] not in ("ok", "skipped")} == {}
        assert status == 0
        assert findings.keys() == ATTACKS.keys()
        assert {name for name, row in findings.items() if row["verdict"] == "skipped"} <= _SKIPPED
        jails.wait_until(lambda: _on_the_host() == before, what="the host as it was")
        assert jail.script("ls -A / /dev/shm") == inside
        if profile != "vps":  # whose own processes come and go
            jails.wait_until(lambda: jails.processes_of(jail.name) == processes, what="its processes to be its own")


def test_what_a_document_allows_works_and_what_it_forbids_is_a_breach(outside: Outside, tmp_path: Path) -> None:
    """The same jail three times: as it is, with a document that allows less by now, and with one that allows more."""
    report = tmp_path / "verify.xml"
    only = ("--only", "change_the_root,bind_our_own_addresses,share_memory_within,climb_up")
    with outside.prisoner("verify-it", caps={"keep": ["SYS_CHROOT"]}, ip={"mode": "none"}) as jail:
        status, findings = _verify(jail, *only)
        assert (status, findings["change_the_root"]["outcome"]) == (0, "works")

        jail.converge(caps={"keep": []}, part="caps")
        status, findings = _verify(jail, *only, "--junit", str(report))
        verdicts = {name: row["verdict"] for name, row in findings.items()}
        assert status == 1
        assert verdicts == {
            "change_the_root": "breach",
            "bind_our_own_addresses": "skipped",
            "share_memory_within": "ok",
            "climb_up": "ok",
        }
        suite = ElementTree.parse(report).getroot()[0]
        assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
        failed = [case.get("name") for case in suite if case.find("failure") is not None]
        assert failed == ["change_the_root"]
        table = jails.jailctl("verify", jail.name, *only)
        assert table.stdout.splitlines()[1].split()[:3] == [jail.name, "change_the_root", "BREACH"]
        assert "1 breach, 2 ok, 1 skipped" in table.stderr

        jail.converge(caps={"allow": ["raw_sockets", "set_hostname"]}, part="caps")
        status, findings = _verify(jail, "--only", "rename_the_jail,open_raw_sockets")
        assert (status, findings["rename_the_jail"]["verdict"]) == (1, "too tight")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_interrupts_it_finds_nothing_left_behind(app: Prisoner, number: int) -> None:
    before, inside = _on_the_host(), app.script("ls -A / /dev/shm")
    command = jails.jailctl_command("verify", app.name)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, start_new_session=True, preexec_fn=jails.heed_interrupts
    ) as running:
        jails.wait_until(lambda: app.script("ls -A /dev/shm") and _on_the_host() != before, what="the first attacks")
        os.killpg(running.pid, number)
        assert running.wait(jails.PATIENCE) == 130
    assert _on_the_host() == before
    assert app.script("ls -A / /dev/shm") == inside


def _kill_with_descendants(pid: int) -> None:
    """Each is stopped before its children are looked for: it makes no more of them."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGSTOP)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            _kill_with_descendants(int(child))
        os.kill(pid, signal.SIGKILL)


def test_what_it_has_laid_goes_with_it_when_it_is_killed(app: Prisoner) -> None:
    """At whatever moment: before there is anything, in the middle of the attacks, while it clears away. Alone, or with
    all of its process group."""
    before, inside, processes = _on_the_host(), app.script("ls -A / /dev/shm"), jails.processes_of(app.name)
    for moment, group in ((0.1, False), (0.3, False), (0.5, True), (1.0, True), (2.0, False)):
        command = jails.jailctl_command("verify", app.name)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as running:
            time.sleep(moment)
            (os.killpg if group else os.kill)(running.pid, signal.SIGKILL)
        jails.wait_until(lambda: _on_the_host() == before, what=f"the host as it was, {moment} s on")
        jails.wait_until(lambda: app.script("ls -A / /dev/shm") == inside, what="the jail as it was")
        jails.wait_until(lambda: jails.processes_of(app.name) == processes, what="its own processes alone")


def test_the_next_one_sweeps_when_all_of_it_was_killed(app: Prisoner) -> None:
    """Also who would have cleared away, outside and inside, as with a control group that is killed."""
    before, inside = _on_the_host(), app.script("ls -A / /dev/shm")
    with subprocess.Popen(jails.jailctl_command("verify", app.name), stdout=subprocess.DEVNULL) as running:
        jails.wait_until(lambda: ".verify-" in app.script("ls -A / /dev/shm"), what="the first attacks")
        _kill_with_descendants(running.pid)
    assert _on_the_host() != before
    assert app.script("ls -A / /dev/shm") != inside
    assert _verify(app, "--only", "climb_up")[0] == 0
    assert _on_the_host() == before
    assert app.script("ls -A / /dev/shm") == inside


def test_a_jail_needs_nothing_of_its_own_to_be_verified(outside: Outside) -> None:
    """No shell, no interpreter, no directory for temporary files."""
    with outside.prisoner("verify-empty", rootfs={"source": {"empty": True}}, mounts=[], ip={"mode": "none"}) as jail:
        assert _verify(jail)[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["esc-nobody"], 1, "no such jail"),
        (["esc-app", "--only", "sit_still"], 1, "'sit_still' is not an attack"),
        ([], 2, "needs the name"),
    ],
)
def test_what_cannot_be_verified_is_refused(words: list[str], status: int, said: str) -> None:
    done = jails.jailctl("verify", *words)
    assert done.returncode == status, done
    assert said in done.stderr
