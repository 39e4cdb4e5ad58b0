# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""reducecap: one command of the host below a ceiling of capabilities, and what a process may do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli import main
from ansible_collections.hosting.jails.plugins.module_utils._kernel import capabilities
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import resolve_privileges
from ansible_collections.hosting.jails.tests.integration import jails

pytestmark = pytest.mark.usefixtures("private_state")

SECURE = resolve_privileges({"profile": "secure"}, jail="", system=False).capabilities
OWN = {capabilities.name_of(number) for number in capabilities.read_sets(os.getpid()).permitted}


def reducecap(*arguments: str) -> subprocess.CompletedProcess[str]:
    return jails.jailctl("reducecap", *arguments)


def shown(*arguments: str) -> dict[str, set[str]]:
    """What --show prints: the words of each line by the first one."""
    lines = [line.split(None, 1) for line in reducecap(*arguments).stdout.splitlines()]
    return {name: set(words.replace(",", "").split()) - {"-"} for name, words in lines}


def status_of(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines() if ":" in line)}


def test_a_secure_command_has_the_profile_of_that_name_and_cannot_get_more() -> None:
    done = reducecap("--secure", "cat", "/proc/self/status")
    found = status_of(done.stdout)
    mask = f"{sum(1 << capabilities.number_of(name) for name in SECURE):016x}"
    assert [found[name] for name in ("CapPrm", "CapEff", "CapBnd")] == [mask] * 3
    assert [found[name] for name in ("CapInh", "CapAmb")] == ["0" * 16] * 2
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_what_it_is_left_or_is_taken_can_be_named() -> None:
    found = shown("--secure", "--cap", "NET_RAW", "--cap=!kill", "--CHOWN", "--show")
    expected = (SECURE | {"NET_RAW"}) - {"KILL", "CHOWN"}
    assert found["bounding"] == found["permitted"] == found["effective"] == expected
    assert found["no_new_privs"] == {"yes"}
    assert found["seccomp"] == {"filter"}


def test_the_ceiling_is_one_for_programs_with_set_user_id_bits_too() -> None:
    """Without --secure they work, as they did on VServer: whoever becomes root again is root below the ceiling."""
    script = "setpriv --reuid 65534 --clear-groups sh -c 'grep NoNewPrivs: /proc/self/status' && cat /proc/self/status"
    done = reducecap("--cap", "!SYS_ADMIN", "--cap", "!SYS_MODULE", "sh", "-c", script)
    found = status_of(done.stdout)
    kept = sum(1 << capabilities.number_of(name) for name in OWN - {"SYS_ADMIN", "SYS_MODULE"})
    assert (int(found["CapBnd"], 16), int(found["CapEff"], 16)) == (kept, kept)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("0", "0")


def test_a_capability_and_a_system_call_that_are_taken_are_refused() -> None:
    assert "denied" in reducecap("--cap", "!SYS_ADMIN", "mount", "-t", "tmpfs", "none", "/mnt").stderr
    handle = (
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); l.open_by_handle_at(0, 0, 0); print(ctypes.get_errno())"
    )
    assert reducecap("python3", "-c", handle).stdout != "1\n"
    assert reducecap("--secure", "python3", "-c", handle).stdout == "1\n"


def test_it_shows_any_process_as_it_is() -> None:
    with subprocess.Popen(["setpriv", "--reuid", "33", "--clear-groups", "sleep", "60"]) as other:
        try:
            jails.wait_until(lambda: os.stat(f"/proc/{other.pid}").st_uid == 33, what="setpriv")
            found = shown("--show", "--pid", str(other.pid))
        finally:
            other.kill()
    assert found["effective"] == found["permitted"] == found["ambient"] == set()
    assert found["bounding"] == OWN
    assert list(found) == [
        "inheritable",
        "permitted",
        "effective",
        "bounding",
        "ambient",
        "securebits",
        "no_new_privs",
        "seccomp",
    ]
    gone = reducecap("--show", "--pid", str(other.pid))
    assert (gone.returncode, "No such process" in gone.stderr) == (125, True)


def test_it_ends_as_its_command_does_which_it_has_become() -> None:
    assert reducecap("--secure", "sh", "-c", "exit 7").returncode == 7
    assert reducecap("--secure", "--", "no-such-command").returncode == 127
    assert reducecap("--secure", "/etc/passwd").returncode == 126
    done = reducecap("--secure", "--show", "sh", "-c", "echo done")
    assert done.stdout.splitlines()[-1] == "done"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "reducecap needs a command, or --show"),
        (["--cap", "NET_RAW", "true"], "--cap NAME goes with --secure"),
        (["--cap", "NO_SUCH", "true"], "'NO_SUCH' is not a capability"),
        (["--cap"], "--cap needs a value"),
        (["--flag", "lock", "true"], "'--flag' is not an option of reducecap"),
        (["--pid", "1", "true"], "a running process cannot be reduced"),
        (["--show", "--pid", "init"], "'init' is not a process id"),
    ],
)
def test_a_wrong_call_is_explained(arguments: Sequence[str], complaint: str) -> None:
    done = reducecap(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_the_program_answers_to_reducecap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(main, "_function", lambda command: lambda words: calls.append([command, *words]) or 0)
    assert main.main(["/usr/local/sbin/reducecap", "--secure", "true"]) == 0
    assert calls == [["reducecap", "--secure", "true"]]
    assert "reducecap" in places.OTHER_NAMES
