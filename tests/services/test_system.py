# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole Debian as docs/services/system.md has it: what its users expect of a machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.tests.integration.jails import Jail, wait_until
from ansible_collections.hosting.jails.tests.services import pages

PAGE = pages.Page("system")
BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def box(machine: int) -> Iterator[Jail]:
    with pages.serving(PAGE, machine) as jail:
        wait_until(lambda: is_booted(jail), timeout=60)
        jail.script("useradd --create-home --shell /bin/bash alice; echo 'alice:one-Two-3' | chpasswd")
        yield jail


def is_booted(jail: Jail) -> bool:
    return jail.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")


def as_alice(jail: Jail, script: str, **how: str) -> str:
    return jail.output("sh", "-euc", script, options=("--user", "alice"), **how).strip()


def test_it_boots_to_the_end_and_no_unit_fails(box: Jail) -> None:
    failed = box.run("systemctl", "--failed", "--no-legend", "--plain").stdout
    assert (box.output("systemctl", "is-system-running").strip(), failed) == ("running", "")
    box.output("systemctl", "is-active", "multi-user.target")


@pytest.mark.parametrize(
    "properties",
    [
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "DynamicUser=yes",
        "PrivateDevices=yes",
        "PrivateNetwork=yes",
        "PrivateUsers=yes",
        "ProtectKernelTunables=yes ProtectKernelModules=yes ProtectControlGroups=yes ProtectProc=invisible",
        "NoNewPrivileges=yes SystemCallFilter=@system-service RestrictNamespaces=yes LockPersonality=yes",
        "DynamicUser=yes StateDirectory=it PrivateTmp=yes ProtectSystem=strict ProtectHome=yes PrivateDevices=yes",
        "MemoryMax=64M TasksMax=16 CPUQuota=50%",
    ],
)
def test_a_unit_is_confined_as_it_says(box: Jail, properties: str) -> None:
    options = [word for name in properties.split() for word in ("-p", name)]
    box.output("systemd-run", "--quiet", "--wait", "--collect", *options, "true")


def test_a_private_tmp_and_a_dynamic_user_are_what_they_say(box: Jail) -> None:
    box.script("echo outside > /tmp/seen")
    options = ("-p", "DynamicUser=yes", "-p", "PrivateTmp=yes", "-p", "ProtectSystem=strict")
    script = "ls /tmp; id -u; touch /etc/x 2>/dev/null || echo read-only"
    said = box.output("systemd-run", "--quiet", "--wait", "--collect", "--pipe", *options, "sh", "-c", script).split()
    assert said[-1] == "read-only"
    assert int(said[0]) > 60000


def test_the_journal_takes_messages_of_users_and_units(box: Jail) -> None:
    as_alice(box, "logger --tag witness hello from alice")
    box.output("systemd-run", "--quiet", "--wait", "--unit", "witness", "echo", "hello from a unit")
    journal = "journalctl --sync; journalctl --no-pager --output cat"
    assert "hello from alice" in box.script(f"{journal} --identifier witness")
    assert "hello from a unit" in box.script(f"{journal} --unit witness")


def test_timers_and_the_crontabs_of_users_run(box: Jail) -> None:
    box.output("systemd-run", "--quiet", "--on-active=1s", "--timer-property=AccuracySec=100ms", "touch", "/run/timed")
    wait_until(lambda: box.run("test", "-e", "/run/timed").returncode == 0, timeout=30)
    as_alice(box, "echo '* * * * * id -un > $HOME/ran' | crontab -")
    wait_until(lambda: box.run("cat", "ran", options=("--user", "alice")).stdout == "alice\n", timeout=90)


def test_a_user_becomes_another_by_su_sudo_and_changes_his_password(box: Jail) -> None:
    box.script("echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice")
    assert as_alice(box, "sudo -n id -u") == "0"
    assert as_alice(box, "su alice -c 'id -un'", input="one-Two-3\n") == "alice"
    as_alice(box, "passwd", input="one-Two-3\nfour-Five-6\nfour-Five-6\n")
    assert as_alice(box, "su alice -c 'id -un'", input="four-Five-6\n") == "alice"


def test_root_and_users_ping_their_host(box: Jail) -> None:
    assert " 0% packet loss" in box.output("ping", "-c", "1", "-W", "5", "10.35.0.1")
    assert " 0% packet loss" in as_alice(box, "ping -c 1 -W 5 10.35.0.1")


def test_it_is_logged_in_to_by_ssh(box: Jail, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    as_alice(box, "mkdir -m 700 .ssh; cat > .ssh/authorized_keys", input=key.with_suffix(".pub").read_text())
    quiet = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-oBatchMode=yes"]
    command = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(key),
        *quiet,
        "alice@10.36.0.6",
        "id -un; loginctl list-sessions --no-legend",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    name, session = done.stdout.splitlines()
    assert name == "alice"
    assert "alice" in session


def test_a_reboot_from_inside_boots_it_again(box: Jail) -> None:
    before, machine, boot = box.pid, box.output("cat", "/etc/machine-id"), box.output("cat", BOOT_ID)
    box.run("systemctl", "reboot")
    wait_until(lambda: box.pid not in (0, before) and is_booted(box), timeout=60)
    assert box.output("cat", "/etc/machine-id") == machine
    assert box.output("cat", BOOT_ID) != boot
    assert box.describe()["restarts"] == 1


def test_a_poweroff_from_inside_is_a_clean_end(box: Jail) -> None:
    box.run("systemctl", "poweroff")
    wait_until(lambda: box.state == "stopped", timeout=60)
    assert box.describe()["exit_status"] == 0
    box.converge(state="started")
    wait_until(lambda: is_booted(box), timeout=60)


def test_a_stop_ends_its_units_one_after_the_other(box: Jail) -> None:
    box.script(
        "printf '[Service]\\nExecStart=sleep infinity\\nExecStop=sh -c \"date > /root/stopped\"\\n'"
        " > /etc/systemd/system/note.service; systemctl daemon-reload; systemctl start note"
    )
    started = time.monotonic()
    box.converge(state="stopped")
    assert time.monotonic() - started < 55
    assert Path("/var/lib/jails/roots/box/upper/root/stopped").exists()
    box.converge(state="started")
    wait_until(lambda: is_booted(box), timeout=60)
    previous = box.output("journalctl", "--no-pager", "--boot=-1", "--output=cat", "--lines=20")
    assert "Journal stopped" in previous
