# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os

from .._kernel import files
from .steps import Step

UNIT = "/etc/systemd/system/jails.service"
_ENABLED = "/etc/systemd/system/multi-user.target.wants/jails.service"

# KillMode=process: a supervisor that is stopped or upgraded leaves its jails alone. Jails have control groups of their
# own, outside of the unit's.
_UNIT_TEXT = """[Unit]
Description=Jails of this host
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=/usr/local/sbin/jailctl supervisor --stay
ExecStartPost=/usr/local/sbin/jailctl boot
KillMode=process
Restart=always
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""


def has_systemd() -> bool:
    """Whether systemd is the host's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def is_enabled() -> bool:
    """Whether the jails' service is started at boot."""
    return os.path.islink(_ENABLED) and files.read_text(UNIT) == _UNIT_TEXT


def would_be_enabled(wanted: bool) -> bool:
    """What ``is_enabled`` says after the plan: nothing is enabled where there is no systemd."""
    return wanted and has_systemd()


def plan(wanted: bool) -> list[Step]:
    """What it takes to have jails started at boot, or not."""
    if would_be_enabled(wanted) == is_enabled():
        return []
    if wanted:
        return [Step("enable jails.service", _enable)]
    return [Step("disable jails.service", _disable)]


def _enable() -> None:
    files.write_atomic(UNIT, _UNIT_TEXT, mode=0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", "jails.service")


def _disable() -> None:
    _systemctl("disable", "--now", "jails.service")
    files.remove_file(UNIT)
    _systemctl("daemon-reload")


def _systemctl(*arguments: str) -> None:
    import subprocess

    subprocess.run(["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
