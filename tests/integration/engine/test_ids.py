# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ids of the host that a jail's users have (caps.user_namespace)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import allocations, places
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.tests.integration.jails import TEMPLATE, Jail, jail
from ansible_collections.hosting.jails.tests.integration.modules import fleets

pytestmark = pytest.mark.usefixtures("template", "nothing_left")

# Far from what is given without a request.
BASE = 1 << 30
FIXED = {"base": BASE, "size": 131072}


def owner(it: Jail, path: str) -> int:
    """What the host calls the owner of a file of a jail."""
    return os.stat(f"/proc/{it.pid}/root{path}").st_uid


@pytest.mark.parametrize("profile", ["service", "vps"])
def test_a_jail_has_the_ids_that_its_document_says(profile: str) -> None:
    with jail("eng-ids", caps={"profile": profile, "user_namespace": FIXED}) as it:
        assert it.output("cat", "/proc/self/uid_map").split() == ["0", str(BASE), "131072"]
        it.script("touch /root/mine; touch /root/other; chown 100000 /root/other")
        assert (owner(it, "/root/mine"), owner(it, "/root/other")) == (BASE, BASE + 100000)
        assert owner(it, "/etc/passwd") == BASE
        assert it.describe()["uid_base"] == BASE
        # Those it keeps, whatever is said later, also over a restart.
        assert not it.converge(part="caps", caps={"user_namespace": FIXED})["changed"]
        done = it.converge(part="caps", caps={"user_namespace": True}, apply="restart")
        assert not done["restart_required"]
        assert done["actions"] == [f"document.write eng-ids: caps.user_namespace: {FIXED} -> True"]
        it.converge(state="restarted")
        assert (owner(it, "/root/mine"), owner(it, "/root/other")) == (BASE, BASE + 100000)
    assert allocations.find("eng-ids") is None


def refusal(**document: Any) -> str:
    with pytest.raises(DocumentError) as refused, jail("eng-late", state="present", **document):
        pass
    assert not Path(places.document("eng-late")).exists()
    return str(refused.value)


def test_ids_that_are_somebody_elses_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with jail("eng-ids", state="present", caps={"user_namespace": FIXED}):
        asked = {"base": BASE + 65536}
        assert "belong to jail eng-ids; choose others" in refusal(caps={"user_namespace": asked})
    with jail("eng-ids", state="present") as it:
        asked = {"base": it.describe()["uid_base"]}
        assert "belong to jail eng-ids; choose others" in refusal(caps={"user_namespace": asked})
    databases = {"subuid": f"user:{BASE + 5}:10\n", "passwd": f"user:x:{BASE + 9}:100::/:/bin/sh\n"}
    for name, text in databases.items():
        (tmp_path / name).write_text(text)
        for constant in ("_SUBORDINATE_IDS", "_DATABASES"):
            of_this = name == "subuid" if constant == "_SUBORDINATE_IDS" else name == "passwd"
            monkeypatch.setattr(allocations, constant, (str(tmp_path / name),) if of_this else ())
        assert "belong to users of the host (/etc/subuid, /etc/passwd)" in refusal(caps={"user_namespace": FIXED})


def test_of_two_new_jails_of_a_fleet_that_ask_for_the_same_ids_one_is_made() -> None:
    entries = [{"name": f"eng-ids{number}", "caps": {"user_namespace": FIXED}} for number in (1, 2)]
    entries.append({"name": "eng-ids3"})
    try:
        result = fleets.fleet(*entries, fleet="eng-ids", defaults={"rootfs": {"source": {"template": TEMPLATE}}})
        failed = {row["name"]: row.get("msg", "") for row in result["jails"] if row.get("failed")}
        assert len(failed) == 1
        (name, message), *_unused = failed.items()
        assert "caps.user_namespace: the ids from" in message
        assert [Jail(f"eng-ids{number}").state for number in (1, 2, 3)].count("running") == 2
        assert Jail(name).state == "stopped"
    finally:
        for number in (1, 2, 3):
            Jail(f"eng-ids{number}").remove()


def test_a_jail_that_has_files_cannot_have_other_ids() -> None:
    with jail("eng-ids", state="present") as it:
        base = it.describe()["uid_base"]
        for check in (True, False):
            with pytest.raises(DocumentError) as refused:
                it.converge(part="caps", caps={"user_namespace": FIXED}, check=check)
            assert f"the jail has the ids from {base} to {base + 65535}, and so have its files" in str(refused.value)
        assert "caps" not in it.describe("document")["document"]
