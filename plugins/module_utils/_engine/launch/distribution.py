# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
import os

from ..._kernel import mounts
from ..errors import EngineError

_UNITS = "/run/systemd/system"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_HOST_KEYS = "jail-ssh-host-keys.service"
# A template has no host keys, which its clones would share, and Debian makes them at the installation only.
_HOST_KEYS_UNIT = """\
[Unit]
Description=Make the SSH host keys of this jail
DefaultDependencies=no
Before=ssh.service sshd.service
ConditionPathExists=/usr/bin/ssh-keygen
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
"""


def prepare() -> None:
    """What the init of a whole distribution needs of its surroundings; call it as the jail's root in the jail's root.

    /run is empty but for us, or a mount of the document on which an earlier boot has left the same: that is replaced.
    Raises EngineError where the jail's root may not write there, or something else is in the way.
    """
    try:
        os.makedirs(_UNITS, exist_ok=True)
        # getty on a console that is a log would be restarted for ever (CONTAINER_INTERFACE of systemd).
        _link("/dev/null", f"{_UNITS}/console-getty.service")
        _make_host_keys_before_ssh()
        _show_boot_id()
    except OSError as error:
        raise EngineError(
            "",
            f"the jail's init cannot be given its units in /run: {error.filename2 or error.filename}: {error.strerror}",
            path="mounts",
            remedy="mount nothing over /run, or a tmpfs, or a directory of the jail's root",
        ) from error


def _make_host_keys_before_ssh() -> None:
    _write(f"{_UNITS}/{_HOST_KEYS}", _HOST_KEYS_UNIT)
    for service in ("ssh.service", "sshd.service"):
        os.makedirs(f"{_UNITS}/{service}.wants", exist_ok=True)
        _link(f"../{_HOST_KEYS}", f"{_UNITS}/{service}.wants/{_HOST_KEYS}")


def _show_boot_id() -> None:
    """A boot id of the jail's own: the journal tells boots apart by it, and whoever waits for a reboot looks at it."""
    number = bytearray(os.urandom(16))
    # RFC 9562, a random UUID: version 4, variant 1.
    number[6], number[8] = number[6] & 0x0F | 0x40, number[8] & 0x3F | 0x80
    text = number.hex()
    source = "/run/boot-id"
    _write(source, "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])) + "\n")
    shown = mounts.clone_tree(mounts.AT_FDCWD, source)
    try:
        mounts.set_attributes(shown, mounts.ATTR_RDONLY | mounts.ATTR_NOSUID | mounts.ATTR_NODEV | mounts.ATTR_NOEXEC)
        mounts.attach_at(shown, _BOOT_ID)
    finally:
        os.close(shown)
        os.unlink(source)


def _write(path: str, text: str) -> None:
    _make_room(path)
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)


def _link(target: str, path: str) -> None:
    _make_room(path)
    os.symlink(target, path)


def _make_room(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
