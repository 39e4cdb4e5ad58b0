# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands by way of the connection plugin, on this machine and over SSH."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.connection.ssh_server import Server
from ansible_collections.hosting.jails.tests.integration.connection.talk import Raised, Speaker, Variables
from ansible_collections.hosting.jails.tests.integration.jails import PATIENCE, Jail, jail

Connect = Callable[[Variables], Speaker]


def test_a_command_runs_in_the_jail(talk: Speaker, it: Jail) -> None:
    assert talk.output("hostname; id -u; echo ~; pwd") == f"{it.name}\n0\n/root\n/root\n"
    assert talk.output("cat /proc/1/comm") == it.output("cat", "/proc/1/comm")


@pytest.mark.parametrize("status", [0, 1, 2, 125, 126, 127, 128, 254, 255])
def test_every_status_is_the_commands_own(talk: Speaker, status: int) -> None:
    """ssh fails with 255 itself, and jailctl with 125."""
    done = talk.run(f"echo out; echo err >&2; exit {status}")
    assert (done.status, done.output, done.errors) == (status, b"out\n", b"err\n")


def test_death_by_a_signal_is_a_status_too(talk: Speaker) -> None:
    assert talk.run("kill -KILL $$").status == 137


def test_any_bytes_pass_unchanged(talk: Speaker) -> None:
    every = bytes(range(256)) * 1000
    done = talk.run("cat >/tmp/every; cat /tmp/every", given=every)
    assert (done.status, done.output, done.errors) == (0, every, b"")
    assert talk.run(r"printf '\377\376\r\n\000' >&2; printf '\r\n\004'").errors == b"\xff\xfe\r\n\0"


def test_words_of_any_language_pass(talk: Speaker) -> None:
    text = "汉语 Ünïcödé 'quoted' \"twice\" $HOME `ls` \\ * ! ; & # ~"
    quoted = text.replace("'", "'\\''")
    assert talk.output(f"printf %s '{quoted}'") == text


def test_a_command_without_input_has_none(talk: Speaker) -> None:
    """It would wait for ever over a plain ssh connection."""
    assert talk.run("cat; wc -c").output.strip() == b"0"


def test_a_command_has_no_terminal(talk: Speaker, way: Variables, it: Jail, speakers: Connect) -> None:
    """Whatever ssh is told: a terminal would change what passes."""
    assert talk.run("tty").output == b"not a tty\n"
    if "ansible_host" in way:
        forced = speakers({**way, "inventory_hostname": it.name, "ansible_ssh_extra_args": "-o RequestTTY=force -tt"})
        assert forced.run(r"tty; printf 'a\nb\r\n'; echo err >&2") == (0, b"not a tty\na\nb\r\n", b"err\n")


def test_much_output_passes_on_both_streams(talk: Speaker) -> None:
    done = talk.run("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 3")
    assert (done.status, len(done.output), len(done.errors)) == (3, 3000000, 3000000)


def test_what_the_command_leaves_running_is_not_waited_for(talk: Speaker) -> None:
    started = time.monotonic()
    done = talk.run("sleep 567 </dev/null >/dev/null 2>&1 & echo $!")
    assert time.monotonic() - started < PATIENCE
    assert talk.run(f"kill {int(done.output)}").status == 0


def test_the_jail_cannot_say_how_a_command_has_ended(talk: Speaker) -> None:
    """It does not know the word that jailctl is told to say it with."""
    done = talk.run("tr '\\0' '\\n' </proc/1/cmdline; env; ps -eo args; echo 0123456789abcdef 7 >&2; exit 9")
    assert (done.status, done.errors) == (9, b"0123456789abcdef 7\n")
    assert b"--report" not in done.output


def test_a_user_of_the_jail_runs_the_commands(way: Variables, it: Jail, speakers: Connect) -> None:
    talk = speakers({**way, "inventory_hostname": it.name, "ansible_jail_user": "www-data"})
    assert talk.output("id -un; id -Gn; echo ~; pwd") == "www-data\nwww-data\n/var/www\n/var/www\n"
    by_number = speakers({**way, "inventory_hostname": it.name, "ansible_jail_user": "12345"})
    assert by_number.output("id -u; echo $HOME") == "12345\n/\n"


def test_a_jail_with_nothing_but_a_shell_and_cat_will_do(
    way: Variables, nothing_left: None, speakers: Connect, tmp_path: Path
) -> None:
    """No Python, no other program, no directory but those, and nobody in it has a name."""
    root = {"source": {"archive": {"path": str(_bare_root(tmp_path))}}}
    with jail("con-bare", rootfs=root) as bare:
        talk = speakers({**way, "inventory_hostname": bare.name})
        assert talk.output("echo $HOME; pwd; ls || echo none") == "/\n/\nnone\n"
        (tmp_path / "ours").write_text("text")
        talk.put(tmp_path / "ours", "/theirs")
        talk.fetch("/theirs", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "text"


def _bare_root(directory: Path) -> Path:
    """An archive of /bin/sh, /bin/cat and their libraries."""
    programs = ["/bin/sh", "/bin/cat"]
    needed = subprocess.run(["ldd", *programs], check=True, capture_output=True, text=True).stdout
    files = {*programs, *re.findall(r"(/[^ :]+) \(0x", needed)}
    archive = directory / "bare.tar"
    subprocess.run(["tar", "-chf", archive, "-C", "/", *sorted(name.lstrip("/") for name in files)], check=True)
    return archive


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"inventory_hostname": "con-none"}, ["there is no such jail", "ansible_jail_name"]),
        ({"ansible_jail_user": "nobdy"}, ["user", "'nobdy'"]),
        ({"ansible_jailctl_executable": "/no/such"}, ["/no/such cannot be run", "hosting.jails.host"]),
    ],
    ids=["jail", "user", "jailctl"],
)
def test_what_cannot_be_run_is_told(
    way: Variables, it: Jail, speakers: Connect, variables: Variables, words: list[str]
) -> None:
    talk = speakers({**way, "inventory_hostname": it.name, **variables})
    with pytest.raises(Raised) as caught:
        talk.run("true")
    assert caught.value.kind == "AnsibleConnectionFailure"
    for word in words:
        assert word in caught.value.message


def test_a_name_that_is_none_of_a_jail_is_told(way: Variables, speakers: Connect) -> None:
    with pytest.raises(Raised) as caught:
        speakers({**way, "inventory_hostname": "web1.example.org"}).run("true")
    assert "'.' is not allowed" in caught.value.message
    assert "ansible_jail_name" in caught.value.message


def test_an_engine_that_is_too_old_is_told(way: Variables, it: Jail, speakers: Connect, host_directory: Path) -> None:
    old = host_directory / "jailctl"
    old.write_text("#!/bin/sh\necho \"jailctl: '--report' is not an option of exec; see jailctl --help\" >&2\nexit 2\n")
    old.chmod(0o755)
    talk = speakers({**way, "inventory_hostname": it.name, "ansible_jailctl_executable": str(old)})
    with pytest.raises(Raised) as caught:
        talk.run("true")
    assert "hosting.jails.jail_engine" in caught.value.message


def test_an_ssh_connection_that_cannot_be_made_is_told(server: Server, it: Jail, speakers: Connect) -> None:
    talk = speakers({**server.variables, "inventory_hostname": it.name, "ansible_port": 1})
    with pytest.raises(Raised) as caught:
        talk.run("true")
    assert caught.value.kind == "AnsibleConnectionFailure"
    assert "Connection refused" in caught.value.message
