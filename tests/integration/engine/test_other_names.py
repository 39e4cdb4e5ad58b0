# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""jailctl's other names on a host that has programs of these names already."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import install


@pytest.mark.usefixtures("private_state")
def test_a_name_that_is_taken_is_left_alone(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory in ("sbin", "bin"):
        (tmp_path / directory).mkdir()
    (tmp_path / "bin" / "jls").write_text("of the administrator's")
    (tmp_path / "sbin" / "vserver").write_text("of somebody else")
    monkeypatch.setattr(install, "PREFIX", str(tmp_path / "lib"))
    monkeypatch.setattr(install, "COMMAND", str(tmp_path / "sbin" / "jailctl"))
    monkeypatch.setattr(install, "_LOCAL_PROGRAMS", str(tmp_path / "bin"))
    install.install()
    ours = ["chbind", "chcontext", "jailctl", "jexec", "reducecap", "vserver", "vserver-stat"]
    assert sorted(os.listdir(tmp_path / "sbin")) == ours
    assert (tmp_path / "sbin" / "vserver").read_text() == "of somebody else"
    for step in install.plan_removal():
        step.carry_out()
    assert os.listdir(tmp_path / "sbin") == ["vserver"]
