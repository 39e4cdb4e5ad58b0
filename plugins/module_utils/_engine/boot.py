# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from .._kernel import files
from .steps import Step

SUPERVISOR = "jails.service"
AUTOSTART = "jails-autostart.service"
_DIRECTORY = "/etc/systemd/system"
_WANTED = f"{_DIRECTORY}/multi-user.target.wants"

# KillMode=process: a supervisor that is stopped or upgraded leaves its jails alone. Jails have control groups of their
# own, outside of the unit's.
_SUPERVISOR_TEXT = """[Unit]
Description=Supervisor of this host's jails
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/local/sbin/jailctl supervisor --stay
KillMode=process
Restart=always
RestartSec=500ms
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""

# A unit of its own, which stays active: a supervisor that comes back must not start what an operator has stopped. When
# the host ends, systemd sends SIGTERM to what is in no unit's control group, whatever signal a jail wants, and waits
# for it until its patience is over. A jail that does not start (the journal says why) must not keep the others from
# their end.
_AUTOSTART_TEXT = """[Unit]
Description=Jails that run while this host does
After=jails.service network-online.target local-fs.target
Wants=jails.service network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/usr/local/sbin/jailctl boot
ExecStop=/usr/local/sbin/jailctl shutdown
TimeoutStopSec=10min

[Install]
WantedBy=multi-user.target
"""

_UNITS = {SUPERVISOR: _SUPERVISOR_TEXT, AUTOSTART: _AUTOSTART_TEXT}


def has_systemd() -> bool:
    """Whether systemd is the host's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def is_enabled() -> bool:
    """Whether the jails' units are started at boot."""
    return all(
        os.path.islink(f"{_WANTED}/{unit}") and files.read_text(f"{_DIRECTORY}/{unit}") == text
        for unit, text in _UNITS.items()
    )


def _is_left() -> bool:
    """Whether there is anything of the units, such as a run leaves that is killed."""
    return any(os.path.lexists(name) for path in _paths() for name in (path, files.temporary_of(path)))


def _paths() -> list[str]:
    return [f"{directory}/{unit}" for directory in (_WANTED, _DIRECTORY) for unit in _UNITS]


def would_be_enabled(wanted: bool) -> bool:
    """What ``is_enabled`` says after the plan: nothing is enabled where there is no systemd."""
    return wanted and has_systemd()


def start_supervisor() -> bool:
    """Have systemd start the supervisor, without waiting for it; False where that is not systemd's business."""
    return has_systemd() and is_enabled() and _systemctl("start", "--no-block", SUPERVISOR)


def plan(wanted: bool) -> list[Step]:
    """What it takes to have jails started at boot, or not."""
    if wanted:
        needed = has_systemd() and not is_enabled()
        return [Step(f"enable {SUPERVISOR} and {AUTOSTART}", _enable)] if needed else []
    return [Step(f"disable {SUPERVISOR} and {AUTOSTART}", _disable)] if _is_left() else []


def _enable() -> None:
    """Enabled last: a run that is killed before it has started them is to be done again."""
    for unit, text in _UNITS.items():
        files.write_atomic(f"{_DIRECTORY}/{unit}", text, mode=0o644)
    _systemctl("daemon-reload")
    _systemctl("restart", SUPERVISOR)
    _systemctl("start", AUTOSTART)
    _systemctl("enable", *_UNITS)


def _disable() -> None:
    """Stopping the unit of the jails would stop the jails, which nobody has asked for; a supervisor they get anew."""
    from .supervisor import client

    _systemctl("disable", "--now", SUPERVISOR)
    _systemctl("disable", AUTOSTART)
    client.keep_watch()
    for path in _paths():
        files.remove_file(path)
    _systemctl("daemon-reload")


def _systemctl(*arguments: str) -> bool:
    import subprocess

    done = subprocess.run(["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0
