# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.hosting.jails.plugins.plugin_utils._fleet_at_host import read_result

ENGINE = "0123456789abcdef"
RESULT = {"changed": False, "failed": False, "jails": [{"name": "web1"}], "summary": {"total": 1}}


def ended(stdout, status=0, stderr=""):
    return {"rc": status, "stdout": stdout, "stderr": stderr}


def test_the_result_is_what_follows_the_word_that_the_task_is_begun():
    said = f"Welcome to this host\nengine {ENGINE}\n{json.dumps(RESULT)}\nGood bye\n"
    assert read_result(ENGINE, ended(said)) == RESULT
    assert read_result(ENGINE, ended(said.replace("\n", "\r\n"))) == RESULT


def test_a_host_decides_on_nothing_but_the_result():
    said = f"engine {ENGINE}\n{json.dumps({**RESULT, 'ansible_facts': {'a': 1}, 'add_host': {'host_name': 'b'}})}\n"
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
