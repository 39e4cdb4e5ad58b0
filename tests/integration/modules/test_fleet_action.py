# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of jail_fleet in real plays: it knows what the task is given on all hosts before the first one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import ansible_environment
from ansible_collections.hosting.jails.tests.integration.modules import fleets

HOSTS = ("a", "b", "c")
# TEST-NET-1 (RFC 5737): nothing answers there, so a task that connects to it fails.
NOWHERE = "192.0.2.1"
# Each host has a jail and an address of its own, unless a test says otherwise.
OWN = "{{ [{'name': 'web1', 'ip': {'mode': 'vnet', 'addresses': ['10.30.' ~ number ~ '.1']}}] }}"
SAME = [{"name": "web1", "ip": {"mode": "vnet", "addresses": ["10.30.9.9"]}}]
BAD = [{"name": "web1", "limits": {"memory": "lots"}}]

ADDRESS = "10.30.{{ 100 + number }}.[1:2]/32"
BIN = Path(sys.executable).parent
HERE = Path(__file__).parent

Task = dict[str, Any]
Result = dict[str, Any]


class Play:
    """Runs tasks for three hosts that cannot be reached, unless their variables say otherwise."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = ""
        self.variables: dict[str, Any] = {"ansible_host": NOWHERE, "ansible_ssh_timeout": 2}
        self.environment: dict[str, str] = {}

    def run(self, *tasks: Task, **keywords: Any) -> dict[str, Result]:
        """What the last of the tasks came to on each host that it was run for and that was reached."""
        book, results = self.directory / "book.json", self.directory / "results"
        results.unlink(missing_ok=True)
        play = {"hosts": "jailhosts", "gather_facts": False, "ignore_errors": True, **keywords, "tasks": tasks}
        book.write_text(json.dumps([play]))
        hosts = {name: {**self.variables, "number": number} for number, name in enumerate(HOSTS, 1)}
        inventory = {"all": {"children": {"jailhosts": {"hosts": hosts}}}}
        (self.directory / "hosts.json").write_text(json.dumps(inventory))
        environment = ansible_environment(
            ANSIBLE_LOCAL_TEMP=str(self.directory / "tmp"),
            ANSIBLE_ROLES_PATH=str(self.directory / "roles"),
            ANSIBLE_CALLBACK_PLUGINS=str(HERE),
            ANSIBLE_CALLBACKS_ENABLED="recorder",
            JAILS_TEST_RESULTS=str(results),
        )
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", "hosts.json", "book.json"],
            cwd=self.directory,
            env={**environment, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.output = done.stdout + done.stderr
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return {row.pop("_host"): row for row in rows}

    def validate(self, jails: Any, *, keywords: dict[str, Any] | None = None, **play: Any) -> dict[str, Result]:
        """As run(), for one task that validates these jails, with some keywords on top of its arguments."""
        arguments = {"mode": "validate", "jails": jails}
        return self.run({"hosting.jails.jail_fleet": arguments, **(keywords or {})}, **play)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


@pytest.fixture
def here(play: Play, no_jails: None) -> Play:
    """The three hosts are this machine, under three names."""
    play.variables = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    play.environment["ANSIBLE_PIPELINING"] = "true"
    return play


def _all_good(results: dict[str, Result]) -> bool:
    return len(results) == len(HOSTS) and not any(result["failed"] or result["changed"] for result in results.values())


def test_good_jails_of_unreachable_hosts_are_valid(play: Play) -> None:
    results = play.validate(OWN)
    assert _all_good(results), play.output
    assert results["b"]["jails"] == [{"name": "web1", "changed": False, "failed": False}]
    assert results["b"]["summary"] == {"total": 1, "changed": 0, "failed": 0, "restart_required": 0, "purged": 0}


def test_the_files_of_the_verdict_are_gone_with_the_run(play: Play) -> None:
    assert _all_good(play.validate(OWN)), play.output
    assert not list((play.directory / "tmp").rglob("jail_fleet-*"))


def test_an_address_of_three_hosts_fails_all_of_them_with_the_place_on_each(play: Play) -> None:
    results = play.validate(SAME)
    assert [results[name]["failed"] for name in HOSTS] == [True] * 3, play.output
    taken = {
        "jail": "web1",
        "path": "jails[0].ip.addresses[0]",
        "msg": "jail web1: jails[0].ip.addresses[0]: 10.30.9.9/32 is taken by jails[0].ip.addresses[0] (jail web1) of"
        " host a; give each jail one of its own",
        "remedy": "give each jail one of its own",
    }
    assert results["a"]["errors"] == [{"host": "b", **taken}, {"host": "c", **taken}]
    assert results["b"]["errors"] == [{"host": "b", **taken}]
    assert results["b"]["msg"].splitlines() == [
        "2 mistakes in the jails of this play, which were left as they are:",
        "- host b: jail web1: jails[0].ip.addresses[0]: 10.30.9.9/32 is taken by jails[0].ip.addresses[0] (jail web1)"
        " of host a; give each jail one of its own",
        "- and 1 of other hosts: c",
    ]


def test_a_bad_document_keeps_the_module_from_every_host(play: Play) -> None:
    """The task is to converge, and would fail as unreachable wherever it came so far."""
    jails = f"{{{{ {BAD!r} if number == 3 else [] }}}}"
    results = play.run({"hosting.jails.jail_fleet": {"jails": jails}})
    assert [results[name].get("unreachable", False) for name in HOSTS] == [False] * 3, play.output
    for name in HOSTS:
        [error] = results[name]["errors"]
        assert error["host"] == "c"
        assert error["path"] == "jails[0].limits.memory"
        assert "write a whole number" in error["remedy"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"jails": [], "prune": "absent"}, "Unsupported parameters: prune. Supported parameters include: "),
        ({"jails": [], "purge": "all"}, "value of purge must be one of: none, stopped, absent, got: all"),
        ({"mode": "validate"}, "mode is validate but all of the following are missing: jails"),
        ({"jails": [], "mode": "apply"}, "mode is apply but all of the following are missing: plan"),
    ],
)
def test_what_the_module_would_refuse_is_refused_without_connecting(
    play: Play, arguments: dict[str, Any], complaint: str
) -> None:
    results = play.run({"hosting.jails.jail_fleet": arguments})
    assert [complaint in results[name]["msg"] for name in HOSTS] == [True] * 3, play.output


def test_a_task_that_carries_out_a_plan_needs_no_documents(play: Play) -> None:
    play.run({"hosting.jails.jail_fleet": {"mode": "apply", "plan": "/nowhere"}})
    assert play.output.count("UNREACHABLE!") == 3


def test_the_variables_of_roles_plays_and_facts_are_known_for_other_hosts(play: Play) -> None:
    arguments = {"mode": "validate", "fleet": "{{ fleet_name }}", "jails": "{{ fleet_jails }}"}
    files = {
        "defaults": {"fleet_jails": "{{ base + extra }}", "extra": []},
        "tasks": [{"hosting.jails.jail_fleet": arguments}],
    }
    for directory, content in files.items():
        file = play.directory / "roles" / "fleet" / directory / "main.yml"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(content))
    fact = {"ansible.builtin.set_fact": {"base": OWN}}
    include = {"ansible.builtin.include_role": {"name": "fleet"}, "vars": {"fleet_name": "x"}}
    assert _all_good(play.run(fact, include)), play.output
    extra = [{"name": "mail", "ip": {"mode": "vnet", "addresses": ["10.30.{{ [number, 2] | max }}.2"]}}]
    results = play.run(fact, include, vars={"extra": extra})
    assert [(error["host"], error["path"]) for error in results["c"]["errors"]] == [("b", "jails[1].ip.addresses[0]")]


def test_module_defaults_and_omitted_options_are_known(play: Play) -> None:
    defaults = {
        "hosting.jails.jail_fleet": {"defaults": {"ip": {"mode": "vnet", "addresses": ["10.30.{{ number }}.1"]}}}
    }
    task = {"hosting.jails.jail_fleet": {"mode": "validate", "jails": [{"name": "x"}], "fleet": "{{ omit }}"}}
    assert _all_good(play.run(task, module_defaults=defaults)), play.output
    defaults["hosting.jails.jail_fleet"]["defaults"]["ip"]["addresses"] = ["10.30.{{ [number, 2] | max }}.1"]
    assert [error["host"] for error in play.run(task, module_defaults=defaults)["a"]["errors"]] == ["b"]


def test_arguments_from_one_variable_are_known(play: Play) -> None:
    task = {"hosting.jails.jail_fleet": {"mode": "validate"}, "args": "{{ mine }}"}
    assert _all_good(play.run(task, vars={"mine": {"jails": OWN}})), play.output
    assert len(play.run(task, vars={"mine": {"jails": SAME}})["a"]["errors"]) == 2


@pytest.mark.parametrize("loop", ["loop", "with_items"])
def test_every_turn_of_a_loop_on_every_host_is_known(play: Play, loop: str) -> None:
    jails = "{{ [{'name': 'web1', 'ip': {'mode': 'vnet', 'addresses': ['10.30.' ~ number ~ '.' ~ turn]}}] }}"
    control = {"loop_control": {"loop_var": "turn"}}
    assert _all_good(play.validate(jails, keywords={loop: [1, 2], **control})), play.output
    shared = jails.replace("number", "7")
    turns = "{{ [1, 2] if number == 1 else [number, 9] }}"
    results = play.validate(shared, keywords={loop: turns, **control})
    hosts = [[error["host"] for error in turn["errors"]] for turn in results["a"]["results"]]
    assert hosts == [["b", "c"]] * 2, play.output


def test_only_hosts_that_the_task_runs_for_count(play: Play) -> None:
    results = play.validate(SAME, keywords={"when": "number == 2"})
    assert [(host, result["failed"]) for host, result in results.items()] == [("b", False)], play.output


def test_a_task_that_runs_once_is_one_hosts(play: Play) -> None:
    results = play.validate(SAME, keywords={"run_once": True})
    assert [(host, result["failed"]) for host, result in results.items()] == [("a", False)], play.output


def test_what_is_delegated_counts_for_the_host_that_it_goes_to(play: Play) -> None:
    assert _all_good(play.validate(SAME, keywords={"delegate_to": "a"})), play.output
    results = play.validate(SAME, keywords={"delegate_to": "{{ 'a' if number == 1 else 'x' }}"})
    assert {error["host"] for error in results["a"]["errors"]} == {"b", "c"}


def test_hosts_of_later_batches_are_known_in_the_first(play: Play) -> None:
    results = play.validate(SAME, serial=1, ignore_errors=False)
    assert {error["host"] for error in results["a"]["errors"]} == {"b", "c"}, play.output
    assert _all_good(play.validate(OWN, serial=1)), play.output


def test_what_cannot_be_known_in_the_first_batch_is_checked_when_its_turn_comes(play: Play) -> None:
    tasks = [
        {"ansible.builtin.set_fact": {"late": SAME}},
        {"hosting.jails.jail_fleet": {"mode": "validate", "jails": "{{ late }}"}},
    ]
    results = play.run(*tasks, serial=1)
    assert [results[name]["failed"] for name in HOSTS] == [False, True, True], play.output


def test_validation_takes_check_mode_and_async(play: Play) -> None:
    assert _all_good(play.validate(OWN, keywords={"check_mode": True})), play.output
    assert _all_good(play.validate(OWN, keywords={"async": 10, "poll": 1})), play.output
    assert play.validate(BAD, keywords={"async": 10, "poll": 1})["a"]["failed"]


def test_what_is_vaulted_is_read(play: Play) -> None:
    (play.directory / "password").write_text("word")
    command = [str(BIN / "ansible-vault"), "encrypt_string", "--vault-password-file", "password", "10.30.9.9"]
    text = subprocess.run(command, cwd=play.directory, check=True, capture_output=True, text=True).stdout
    book = play.directory / "vars.yml"
    book.write_text(f"secret: {text}")
    jails = [
        {"name": "web1", "environment": {"PW": "{{ secret }}"}, "ip": {"mode": "vnet", "addresses": ["{{ secret }}"]}}
    ]
    play.environment["ANSIBLE_VAULT_PASSWORD_FILE"] = "password"
    results = play.validate(jails, vars_files=["vars.yml"])
    assert {error["host"] for error in results["a"]["errors"]} == {"b", "c"}, play.output


def test_without_jsonschema_it_says_how_to_get_it(play: Play) -> None:
    hidden = play.directory / "hidden" / "jsonschema"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'jsonschema'\")")
    play.environment["PYTHONPATH"] = str(hidden.parent)
    results = play.validate([{"name": "web1", "limits": {"memory": "lots"}}])
    assert "No module named 'jsonschema'" in results["a"]["msg"], play.output
    assert "-m pip install jsonschema" in results["a"]["msg"]


OF_EACH = {
    "fleet": f"{fleets.FLEET}-{{{{ number }}}}",
    "defaults": fleets.DEFAULTS,
    "jails": [{"name": f"{fleets.PREFIX}{{{{ number }}}}-[1:2]", "ip": {"mode": "vnet", "addresses": [ADDRESS]}}],
}


def test_what_is_valid_is_foreseen_made_and_left_alone_by_the_module(here: Play) -> None:
    turns = [{"check_mode": True}, {}, {"check_mode": True}, {}]
    changes = []
    for keywords in turns:
        results = here.run({"hosting.jails.jail_fleet": OF_EACH, **keywords})
        assert not any(result["failed"] for result in results.values()), here.output
        changes.append([results[name]["changed"] for name in HOSTS])
        assert [row["name"] for row in results["b"]["jails"]] == [f"{fleets.PREFIX}2-1", f"{fleets.PREFIX}2-2"]
        assert results["b"]["summary"]["total"] == 2
    assert changes == [[True] * 3, [True] * 3, [False] * 3, [False] * 3]


def test_the_module_runs_asynchronously_as_well(here: Play) -> None:
    results = here.run({"hosting.jails.jail_fleet": OF_EACH, "async": 60, "poll": 1})
    assert [results[name]["summary"]["changed"] for name in HOSTS] == [2, 2, 2], here.output
    assert not any(result["failed"] for result in results.values())
