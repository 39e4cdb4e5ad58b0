# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as playbooks use them: each change is foreseen by check mode, made once, and found made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.converge import converge as carry_out
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.tasks.parts import wanted_of
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import (
    BUILD,
    TEMPLATE,
    ansible_environment,
    converge,
    jail,
    jailctl,
)

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

HERE = Path(__file__).parent
NAME = "eng-mod"
CLONE = {"source": {"template": TEMPLATE}}

Task = dict[str, Any]
Result = dict[str, Any]


class Playbooks:
    """Runs tasks on this very host in a real ansible-playbook."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = ""
        self.environment: dict[str, str] = {}

    def run(self, *tasks: Task) -> list[Result]:
        """The result of each task; a failed one does not keep the next from running."""
        book, results = self.directory / "book.yml", self.directory / "results"
        results.unlink(missing_ok=True)
        numbered = [{"name": str(number), "ignore_errors": True, **task} for number, task in enumerate(tasks)]
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": numbered}
        book.write_text(json.dumps([play]))
        environment = ansible_environment(
            ANSIBLE_REMOTE_TMP=str(BUILD / "ansible" / "tmp"),
            ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3",
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            ANSIBLE_PIPELINING="true",
            ANSIBLE_CALLBACK_PLUGINS=str(HERE),
            ANSIBLE_CALLBACKS_ENABLED="recorder",
            JAILS_TEST_RESULTS=str(results),
        )
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "--diff", str(book)]
        done = subprocess.run(
            command,
            env={**environment, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.output = done.stdout + done.stderr
        assert results.exists(), self.output
        recorded = [json.loads(line) for line in results.read_text().splitlines()]
        assert len(recorded) == len(tasks), self.output
        return recorded

    def trios(self, *tasks: Task) -> list[Result]:
        """Check, run, run of each task; the results of the first runs, after the claims that hold for all."""
        results = self.run(*(turn for task in tasks for turn in ({**task, "check_mode": True}, task, task)))
        return [_made(task, *results[number * 3 : number * 3 + 3]) for number, task in enumerate(tasks)]


def _made(task: object, foreseen: Result, made: Result, *later: Result) -> Result:
    """The second result of a task that was foreseen and done, after the claims that always hold; none later changes."""
    assert not any(result.get("failed") for result in (foreseen, made, *later)), (task, foreseen, made)
    assert foreseen["actions"] == made["actions"], task
    assert [foreseen["changed"], made["changed"]] == [True, True]
    for result in later:
        assert (result["changed"], result["actions"]) == (False, []), task
    assert foreseen["diff"]["before"] == made["diff"]["before"], task
    # What only the making shows (a checksum, say) cannot be foreseen.
    assert foreseen["diff"]["after"].items() <= made["diff"]["after"].items(), task
    return made


def task(module: str, **options: Any) -> Task:
    return {f"hosting.jails.{module}": options}


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture
def clean() -> Iterator[None]:
    """Remove the jail and the template that tasks have made."""
    yield
    jails.Jail(NAME).remove()


def test_a_jail_from_nothing_to_running_part_by_part(playbooks: Playbooks, clean: None) -> None:
    addresses = ["10.23.1.1/32", "fd00:23::1/128"]
    command = ["nginx", "-g", "daemon off;"]
    rootfs, ip, caps, started = playbooks.trios(
        task("jail_rootfs", jail=NAME, source=CLONE["source"]),
        task("jail_ip", jail=NAME, mode="vnet", addresses=addresses),
        task("jail_caps", jail=NAME, profile="service", keep=["SYS_PTRACE"]),
        task("jail", name=NAME, state="started", command=command, limits={"memory": "128M"}),
    )
    assert rootfs["jail"]["state"] == "stopped"
    assert rootfs["diff"]["before"]["state"] == "absent"
    assert rootfs["diff"]["after"]["rootfs"] == CLONE
    assert ip["jail"]["document"]["ip"]["addresses"] == addresses
    assert {"item": "capabilities", "verdict": "enforced", "why": ""} in caps["report"]
    assert (started["jail"]["state"], started["jail"]["addresses"]) == ("running", addresses)
    jails.wait_until(lambda: "nginx" in jails.run_in(NAME, "ps", "-eo", "comm").stdout, what="nginx")


STATES = {"started": "running", "frozen": "frozen", "stopped": "stopped", "absent": "absent"}


def test_states_of_a_jail(playbooks: Playbooks) -> None:
    with jail(NAME, state="stopped", command=["sleep", "1000"]):
        _assert_states(playbooks.run(*(task("jail", name=NAME, state=state) for state in STATES)))


def test_states_of_a_jail_are_foreseen_reached_and_kept() -> None:
    with jail(NAME, state="stopped", command=["sleep", "1000"]):
        turns = {state: [converge(NAME, state=state, check=check) for check in (True, False) * 2] for state in STATES}
        _assert_states([_made(state, *results) for state, results in turns.items()])


def _assert_states(done: list[Result]) -> None:
    assert [result["jail"]["state"] for result in done] == list(STATES.values())
    assert done[-1]["jail"] == {"name": NAME, "state": "absent"}
    assert done[-1]["diff"]["after"]["state"] == "absent"


def test_a_task_that_verifies_fails_for_a_jail_that_may_more_than_its_document_says(playbooks: Playbooks) -> None:
    with jail(NAME, command=["sleep", "1000"]):
        less = task("jail_caps", jail=NAME, keep=[], verify=True)
        proven, foreseen, broken = playbooks.run(
            task("jail_caps", jail=NAME, keep=["SYS_CHROOT"], apply="restart", verify=True),
            {**less, "check_mode": True},
            less,
        )
    assert not proven["failed"], proven
    found = {row["attack"]: row for row in proven["verify"]}
    assert (found["change_the_root"]["outcome"], found["change_the_root"]["verdict"]) == ("works", "ok")
    assert {row["verdict"] for row in proven["verify"]} == {"ok", "skipped"}
    assert "verify" not in foreseen
    assert (broken["failed"], broken["changed"], broken["restart_required"]) == (True, True, True)
    assert broken["msg"] == f"jail {NAME}: attacks from inside succeed: change_the_root; it waits for a restart"
    assert len(broken["verify"]) == len(proven["verify"])


def test_a_live_change_and_one_that_waits(playbooks: Playbooks) -> None:
    with jail(NAME, command=["sleep", "1000"]) as it:
        pid = it.pid
        done, devices = playbooks.trios(
            task("jail", name=NAME, state="started", limits={"pids": 33}, labels={"a": "b"}),
            task("jail_caps", jail=NAME, devices=["none", {"path": "/dev/other", "source": "/dev/zero"}]),
        )
        assert (done["restart_required"], it.pid) == (False, pid)
        assert done["diff"]["after"]["limits"] == {"pids": 33}
        assert "limits" not in done["diff"]["before"]
        assert (devices["restart_required"], it.pid) == (False, pid)
        assert {line["item"]: line["verdict"] for line in devices["report"]}["devices"] == "enforced"
        assert it.script("ls /dev/null /dev/other; ls /dev/zero || true").split() == ["/dev/null", "/dev/other"]
        rename = task("jail", name=NAME, hostname="other")
        waiting, again = playbooks.run(rename, rename)
        assert (waiting["changed"], waiting["restart_required"], again["changed"]) == (True, True, False)
        assert again["reasons"] == ["hostname: 'eng-mod' -> 'other' needs a restart"]
        assert it.pid == pid
        (applied,) = playbooks.run(task("jail", name=NAME, hostname="other", apply="restart"))
        assert (applied["changed"], applied["restart_required"]) == (True, False)
        assert it.output("hostname") == "other\n"


def test_a_template_from_an_archive(playbooks: Playbooks, tmp_path: Path) -> None:
    archive = tmp_path / "small.tar"
    subprocess.run(["tar", "-cf", str(archive), "-C", str(HERE), "recorder.py"], check=True)
    removal = task("jail_rootfs", template="eng-small", state="absent")
    try:
        made, gone = playbooks.trios(
            task("jail_rootfs", template="eng-small", source={"archive": {"path": str(archive)}}), removal
        )
    finally:
        playbooks.run(removal)
    assert (made["template"]["state"], gone["template"]["state"]) == ("present", "absent")


def test_jail_info_tells_everything_and_changes_nothing(playbooks: Playbooks) -> None:
    gather = ["status", "processes", "resources", "network", "privileges", "disk", "document", "templates"]
    secret = {"DB_PASSWORD": "hunter2", "MODE": "fast"}
    with jail(NAME, command=["sleep", "1000"], labels={"customer": "acme"}, environment=secret) as it:
        everything, by_label, none, unknown = playbooks.run(
            {"hosting.jails.jail_info": {"names": [NAME], "gather": gather}},
            {"hosting.jails.jail_info": {"labels": {"customer": "acme"}}},
            {"hosting.jails.jail_info": {"labels": {"customer": "nobody"}}},
            {"hosting.jails.jail_info": {"names": ["eng-unknown"]}},
        )
        (row,) = everything["jails"]
        assert not everything["changed"]
        assert (row["name"], row["state"], row["pid"]) == (NAME, "running", it.pid)
        assert sorted(process["jail_pid"] for process in row["processes"]) == [1, 2]
        assert row["resources"]["used"]["pids"] == 2
        assert "NET_BIND_SERVICE" in row["privileges"]["capabilities"]
        assert row["disk"]["template"] == TEMPLATE
        (used,) = (found for found in everything["templates"] if found["name"] == TEMPLATE)
        assert NAME in used["jails"]
        assert "packages" not in used
        assert "templates" not in by_label
        assert row["document"]["environment"]["MODE"] == "fast"
        assert "hunter2" not in json.dumps(everything)
        assert [found["name"] for found in by_label["jails"]] == [NAME]
        assert none["jails"] == []
        assert unknown["failed"]
        assert "eng-unknown" in unknown["msg"]
        assert "names[0]" in unknown["msg"]


def test_a_secret_is_never_shown(playbooks: Playbooks) -> None:
    with jail(NAME, state="stopped", environment={"API_TOKEN": "old-secret"}):
        task = {"hosting.jails.jail": {"name": NAME, "environment": {"API_TOKEN": "new-secret"}}}
        foreseen, done = playbooks.run({**task, "check_mode": True}, task)
        assert done["changed"]
        for text in (
            json.dumps([{key: result[key] for key in ("actions", "diff", "jail")} for result in (foreseen, done)]),
        ):
            assert "old-secret" not in text
            assert "new-secret" not in text
        assert "changed" in foreseen["diff"]["after"]["environment"]["API_TOKEN"]


def test_the_engine_is_installed_once(playbooks: Playbooks) -> None:
    install = task("jail_engine")
    first, second, foreseen = playbooks.run(install, install, {**install, "check_mode": True})
    assert not first["failed"], first
    assert (second["changed"], foreseen["changed"]) == (False, False)
    assert second["version"] == first["version"]
    assert subprocess.run(["/usr/local/sbin/jailctl", "list", "--json"], check=True, capture_output=True).stdout


def test_a_host_has_pools_and_gives_a_jail_an_address_of_them(playbooks: Playbooks) -> None:
    pools = [{"addresses": "10.23.99.0/24", "reserved": ["10.23.99.1"]}, {"addresses": "fd00:23:99::/64"}]
    given, again, kept, wrong, foreseen, made, same, gone, none = playbooks.run(
        {"hosting.jails.jail_engine": {"address_pools": pools}},
        {"hosting.jails.jail_engine": {"address_pools": pools}},
        task("jail_engine"),
        {"hosting.jails.jail_engine": {"address_pools": [{"addresses": "10.23.99.7/24"}]}},
        {"hosting.jails.jail_ip": {"jail": NAME, "mode": "vnet", "addresses": "auto"}, "check_mode": True},
        {"hosting.jails.jail_ip": {"jail": NAME, "mode": "vnet", "addresses": "auto"}},
        {"hosting.jails.jail_ip": {"jail": NAME, "addresses": ["auto"]}},
        {"hosting.jails.jail": {"name": NAME, "state": "absent"}},
        {"hosting.jails.jail_engine": {"address_pools": []}},
    )
    assert given["diff"]["after"]["address_pools"] == pools
    assert [result["changed"] for result in (given, again, kept, gone, none)] == [True, False, False, True, True]
    assert "address_pools[0].addresses: '10.23.99.7/24' is neither a network nor a range" in wrong["msg"]
    assert foreseen["jail"]["document"]["ip"]["addresses"] == ["10.23.99.2/32", "fd00:23:99::1/128"]
    assert made["jail"]["addresses"] == ["10.23.99.2/32", "fd00:23:99::1/128"]
    assert "10.23.99.2/32" in json.dumps(foreseen["diff"])
    assert not same["changed"]


def test_a_wrong_command_fails_the_task_with_its_path_and_remedy(playbooks: Playbooks) -> None:
    with jail(NAME, state="stopped") as it:
        misspelt, failing = playbooks.run(
            {"hosting.jails.jail": {"name": NAME, "state": "started", "command": ["ngnix"]}},
            {"hosting.jails.jail": {"name": NAME, "state": "started", "command": ["sh", "-c", "exit 4"]}},
        )
        assert (misspelt["failed"], misspelt["jail"], misspelt["path"]) == (True, NAME, "command[0]")
        assert misspelt["remedy"]
        assert (failing["failed"], failing["path"]) == (True, "command")
        assert "jailctl logs eng-mod" in failing["msg"]
        assert it.state == "failed"


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("jail", {"name": "web.1"}, "name", "'.' is not allowed"),
    ("jail", {"name": "web/1"}, "name", "'/' is not allowed"),
    ("jail", {"name": ".."}, "name", "'.' is not allowed"),
    ("jail", {"name": "web1\n"}, "name", "'\\n' is not allowed"),
    ("jail", {"name": "wéb"}, "name", "is not allowed"),
    ("jail", {"name": "a" * 64}, "name", "64 characters"),
    ("jail", {"name": NAME, "limits": {"memory": "lots"}}, "limits.memory", "'lots'"),
    ("jail", {"name": NAME, "mounts": [{"target": "/x"}]}, "mounts[0].source", "missing"),
    ("jail", {"name": NAME, "sysctls": {"vm.swappiness": 1}}, "sysctls", "belongs to the host"),
    ("jail", {"name": NAME, "rlimits": {"nofiles": 1}}, "rlimits", "nofiles"),
    ("jail", {"name": NAME, "depends": [NAME]}, "depends[0]", "itself"),
    ("jail", {"name": NAME, "state": "started"}, "rootfs", "no root file system"),
    ("jail_ip", {"jail": NAME, "mode": "vnet", "addresses": ["10.23.0.0/16"]}, "ip.addresses[0]", "10.23.0.0/16"),
    ("jail_caps", {"jail": NAME, "keep": ["SYS_EVERYTHING"]}, "caps.keep[0]", "SYS_EVERYTHING"),
    ("jail_caps", {"jail": NAME, "devices": ["/dev/no-such"]}, "caps.devices[0].path", "/dev/no-such"),
    ("jail_caps", {"jail": NAME, "user_namespace": {"base": 7}}, "caps.user_namespace.base", "7 is not accepted"),
    ("jail_rootfs", {"jail": NAME, "source": {"template": "eng-nope"}}, "rootfs.source.template", "eng-nope"),
    ("jail_rootfs", {"jail": NAME, "source": {"archive": {"path": "/no/such.tar"}}}, "archive", "/no/such.tar"),
    ("jail_rootfs", {"jail": NAME, "source": {"template": "a", "empty": True}}, "rootfs.source", "exactly one"),
]


# One for each module.
BAD_TASKS = list({bad[0]: bad for bad in BAD}.values())


def _assert_refused(bad: tuple[str, dict[str, Any], str, str], message: str) -> None:
    _unused, _unused, path, words = bad
    assert path in message, (path, message)
    assert words in message, (words, message)
    assert "; " in message, message
    if path != "name":
        assert NAME in message, message


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad[0]}-{bad[2]}")
def test_what_cannot_be_is_refused_with_jail_option_and_remedy(bad: tuple[str, dict[str, Any], str, str]) -> None:
    """And nothing is left of it."""
    module, options, _unused, _unused = bad
    part = module.partition("_")[2] or "jail"
    before = jails.leftovers()
    with pytest.raises((DocumentError, EngineError)) as refusal:
        carry_out(wanted_of(part, options), apply_mode="live", check=False)
    _assert_refused(bad, str(refusal.value))
    assert jails.leftovers() == before


def test_a_task_says_the_same_of_what_is_refused(playbooks: Playbooks) -> None:
    before = jails.leftovers()
    results = playbooks.run(*({f"hosting.jails.{module}": options} for module, options, _unused, _unused in BAD_TASKS))
    for bad, result in zip(BAD_TASKS, results):
        assert result.get("failed"), (bad, result)
        assert not result["changed"], bad
        assert "Traceback" not in result["msg"]
        _assert_refused(bad, result["msg"])
    assert jails.leftovers() == before


def test_options_that_are_none_are_refused(playbooks: Playbooks) -> None:
    results = playbooks.run(
        {"hosting.jails.jail": {"name": NAME, "memmory": "1G"}},
        {"hosting.jails.jail": {"name": NAME, "limits": {"memmory": "1G"}}},
        {"hosting.jails.jail": {"name": NAME, "mounts": "/srv"}},
        {"hosting.jails.jail": {"name": NAME, "state": "runing"}},
        {"hosting.jails.jail_rootfs": {"jail": NAME, "template": "x", "source": {}}},
    )
    words = ("memmory", "memmory", "dictionary", "runing", "mutually exclusive")
    for result, word in zip(results, words):
        assert result.get("failed"), result
        assert word in result["msg"], (word, result["msg"])
        assert "Traceback" not in json.dumps(result)


def test_a_user_who_is_not_root_is_told_to_become(playbooks: Playbooks) -> None:
    (result,) = playbooks.run(
        {"hosting.jails.jail": {"name": NAME}, "become": True, "become_user": "nobody", "become_method": "su"}
    )
    if "hosting.jails" not in result["msg"] and "become" not in result["msg"]:
        pytest.skip(f"this host lets nobody run nothing: {result['msg']}")
    assert result["failed"]


def test_jailctl_and_the_modules_see_the_same(playbooks: Playbooks) -> None:
    with jail(NAME, command=["sleep", "1000"]):
        (told,) = playbooks.run({"hosting.jails.jail_info": {"names": [NAME]}})
        (listed,) = json.loads(jailctl("list", "--json", NAME).stdout)
        assert {**told["jails"][0], "uptime": 0} == {**listed, "uptime": 0}
        assert jailctl("stop", NAME).returncode == 0
        assert not converge(NAME, state="stopped")["changed"]
