# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever asks how to call a command is told, and nothing is done."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import (
    enter,
    learn,
    look,
    main,
    run,
    usage,
    verify,
    watch,
)

OWN = sorted({name for group in (enter, learn, look, run, verify, watch) for name in group.COMMANDS})


@pytest.fixture
def not_root(monkeypatch):
    """Help is for everybody: whoever is not root has done nothing by asking."""
    monkeypatch.setattr(main.os, "geteuid", lambda: 1000)


@pytest.mark.parametrize("command", OWN)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_command_tells_about_itself_alone(command, option, not_root, capsys):
    assert main.main(["jailctl", command, option]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[0] == command
    assert all(line.startswith("   ") for line in lines[3:])


def test_the_help_of_the_program_names_every_command(capsys):
    assert main.main(["jailctl", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").split()
    assert set(OWN) | set(places.OTHER_NAMES) <= set(words)


@pytest.mark.parametrize("name", places.OTHER_NAMES)
def test_each_other_name_tells_about_itself(name, monkeypatch, capsys):
    monkeypatch.setattr(main.os, "geteuid", lambda: 0)
    assert main.main([f"/usr/local/sbin/{name}", "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {name}")
    assert main.main(["jailctl", name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {name}")


def test_what_is_no_command_has_no_help(monkeypatch, capsys):
    monkeypatch.setattr(main.os, "geteuid", lambda: 0)
    assert usage.of("startt") == ""
    assert main.main(["jailctl", "startt", "--help"]) == 2
    assert "'startt' is not a command" in capsys.readouterr().err


def test_help_in_a_commands_own_words_is_the_commands(not_root, capsys):
    assert main.main(["jailctl", "exec", "web1", "--", "ls", "--help"]) == 1
    assert "root" in capsys.readouterr().err
