# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import json

from ansible_collections.hosting.jails.plugins.plugin_utils._engine_at_host import accepted, log_text, read_result

ENGINE = "0123456789abcdef"
RESULT = {"changed": False, "failed": False, "jails": [{"name": "web1"}], "summary": {"total": 1}}


def ended(stdout, status=0, stderr=""):
    return {"rc": status, "stdout": stdout, "stderr": stderr}


def test_the_result_is_what_follows_the_word_that_the_task_is_begun():
    said = f"Welcome to this host\nengine {ENGINE}\n{json.dumps(RESULT)}\nGood bye\n"
    assert read_result(ENGINE, ended(said)) == RESULT
    assert read_result(ENGINE, ended(said.replace("\n", "\r\n"))) == RESULT


def test_a_host_decides_on_nothing_but_the_result():
    more = {"ansible_facts": {"a": 1}, "_ansible_no_log": True, "add_host": {"host_name": "b"}}
    said = f"engine {ENGINE}\n{json.dumps({**RESULT, **more})}\n"
    assert read_result(ENGINE, ended(said)) == RESULT


def test_a_task_that_was_not_begun_has_no_result():
    assert read_result(ENGINE, ended("", 127, "/usr/local/sbin/jailctl: not found")) is None
    assert read_result(ENGINE, ended("", 2, "jailctl: this is engine fedcba9876543210")) is None
    assert read_result(ENGINE, ended(f"engine fedcba9876543210\n{json.dumps(RESULT)}\n")) is None


def test_a_task_that_was_begun_and_cut_off_has_failed():
    for said in ("", json.dumps(RESULT)[:20], "[]"):
        found = read_result(ENGINE, ended(f"engine {ENGINE}\n{said}", 137, "Killed"))
        assert found["failed"]
        assert "ended with status 137" in found["msg"]
        assert found["module_stderr"] == "Killed"


def test_parameters_are_those_that_the_module_would_have():
    found = accepted("jail", {"name": "web1", "limits": {"pids": "32"}, "depends": "a,b", "labels": {"a": 1}})
    assert (found["name"], found["state"], found["apply"]) == ("web1", "started", "live")
    assert found["depends"] == ["a", "b"]
    assert found["labels"] == {"a": 1}
    assert found["hostname"] is None
    assert found["limits"]["memory"] is None


def test_what_the_module_would_refuse_is_left_to_it():
    assert accepted("jail", {"name": "web1", "memmory": "1G"}) is None
    assert accepted("jail", {"name": "web1", "limits": {"memmory": "1G"}}) is None
    assert accepted("jail", {"name": "web1", "state": "runing"}) is None
    assert accepted("jail", {}) is None
    assert accepted("jail_rootfs", {"jail": "web1", "template": "x"}) is None
    assert accepted("jail_rootfs", {}) is None


def test_values_that_are_not_of_json_are_left_to_the_module():
    for value in ({1: "x"}, {"a": datetime.date(2026, 1, 1)}, {"a": b"x"}, {"a": {1}}):
        assert accepted("jail", {"name": "web1", "labels": value}) is None, value


def test_arguments_are_left_as_they_are():
    arguments = {"name": "web1", "limits": {"memory": "1G"}}
    accepted("jail", arguments)
    assert arguments == {"name": "web1", "limits": {"memory": "1G"}}


def test_what_is_logged_names_the_parameters_without_passwords_of_urls():
    text = log_text({"name": "web1", "state": None, "source": {"archive": {"path": "https://me:secret@host/x"}}})
    assert text.startswith("Invoked with name=web1 state=None source=")
    assert "secret" not in text
