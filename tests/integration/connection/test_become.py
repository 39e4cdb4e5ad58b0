# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Becoming somebody else, in the jail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.connection.plays import Plays
from ansible_collections.hosting.jails.tests.integration.connection.talk import Variables
from ansible_collections.hosting.jails.tests.integration.jails import Jail

PASSWORD = "Correct 'horse'"


@pytest.fixture(scope="module")
def users(nothing_left: None) -> Iterator[Jail]:
    """A jail with the users alice and bob, in which set-user-id programs work."""
    with jails.jail("con-users", caps={"no_new_privileges": False}) as made:
        made.script("for name in alice bob; do useradd --create-home --shell /bin/sh $name; done")
        made.script("cat | chpasswd", input=f"root:{PASSWORD}\nalice:{PASSWORD}\n")
        made.script("echo 'alice ALL=(ALL) ALL' >/etc/sudoers.d/alice; chmod 440 /etc/sudoers.d/alice")
        yield made


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "by-files"])
@pytest.mark.parametrize("method", ["sudo", "su"])
def test_root_becomes_another_user(way: Variables, users: Jail, plays: Plays, method: str, pipelining: bool) -> None:
    tasks = [
        {"raw": "id -un; exit 255"},
        {"template": {"src": "text.j2", "dest": "~/rendered", "mode": "0640"}},
    ]
    (plays.directory / "text.j2").write_text("{{ 6 * 7 }} 汉语\n")
    users.script("rm -f ~bob/rendered")
    options = {"become": True, "become_method": method, "become_user": "bob"}
    status, rendered = plays.run_one(users.name, *tasks, variables=way, pipelining=pipelining, **options)
    assert (status["rc"], status["stdout"].strip()) == (255, "bob"), plays.output
    assert (rendered["failed"], rendered["owner"], rendered["mode"]) == (False, "bob", "0640"), plays.output
    assert users.script("cat ~bob/rendered") == "42 汉语\n"


@pytest.mark.parametrize(
    ("method", "target", "pipelining"),
    [("sudo", "root", False), ("sudo", "bob", True), ("su", "root", False)],
)
def test_a_user_becomes_another_by_password(
    way: Variables, users: Jail, plays: Plays, method: str, target: str, pipelining: bool
) -> None:
    own = {**way, "ansible_jail_user": "alice", "ansible_become_password": PASSWORD, "ansible_remote_tmp": "/tmp"}
    options = {"become": True, "become_method": method, "become_user": target, "pipelining": pipelining}
    (done,) = plays.succeed(users.name, {"command": "id -un"}, variables=own, **options)
    assert done["stdout"] == target


@pytest.mark.parametrize("method", ["sudo", "su"])
def test_a_wrong_password_is_told(way: Variables, users: Jail, plays: Plays, method: str) -> None:
    own = {**way, "ansible_jail_user": "alice", "ansible_become_password": "wrong"}
    options = {"become": True, "become_method": method}
    (done,) = plays.run_one(users.name, {"command": "id -un"}, variables=own, **options)
    assert done["failed"]
    assert f"Incorrect {method} password" in plays.output


def test_who_is_the_user_already_needs_no_sudo(way: Variables, it: Jail, plays: Plays) -> None:
    """Hosts are managed with become, and jails may have no sudo: the login on the host says nothing of the jail."""
    own = {**way, "ansible_user": way.get("ansible_user", "deploy")}
    it.script("chmod 0 /usr/bin/sudo")
    try:
        (done,) = plays.succeed(it.name, {"command": "id -un"}, variables=own, become=True)
    finally:
        it.script("chmod 4755 /usr/bin/sudo")
    assert done["stdout"] == "root"
