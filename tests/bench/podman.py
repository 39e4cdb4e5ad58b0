# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman on a host for tests, and its collection for the controller, where a mirror has them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.hosting.jails.tests.hosts import archives, places
from ansible_collections.hosting.jails.tests.hosts.host import Host

IMAGE = "localhost/small"
_PACKAGES = places.ARCHIVES / "podman"
_COLLECTION = "ansible_collections/containers/podman/"
_COLLECTIONS = places.BUILD / "podman-collection"
# Its storage has to be on a file system of the machine, as jails have theirs; this host has no jails. A container has
# a copy of the image, of 3 MB: the driver of overlays makes devices, and hosts for tests may make none.
_SETTINGS = {
    "storage.conf": (
        '[storage]\ndriver = "vfs"\ngraphroot = "/var/lib/jails/containers"\nrunroot = "/run/containers/storage"\n'
    ),
    "containers.conf": (
        "[containers]\ndefault_ulimits = []\n"
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n'
    ),
    "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
}


def install(host: Host) -> bool:
    """Put Podman on a host; whether it and its collection could be had."""
    if not (_fetch_packages() and _fetch_collection()):
        return False
    host.run("sh", "-c", f"dpkg --install {archives.SHOWN}/{_PACKAGES.name}/*.deb")
    for name, text in _SETTINGS.items():
        host.run("sh", "-c", 'mkdir -p /etc/containers && printf %s "$1" > "/etc/containers/$2"', "sh", text, name)
    host.run("mkdir", "-p", "/var/lib/jails/containers")
    host.run("podman", "import", f"{archives.SHOWN}/small.tar", IMAGE)
    return True


def collections() -> Path:
    """Where the controller finds the collection."""
    return _COLLECTIONS


def _fetch_packages() -> bool:
    """Packages that the image of the hosts lacks, by its own list of those that it has."""
    (_PACKAGES / "partial").mkdir(parents=True, exist_ok=True)
    options = [f"Dir::State::status={places.IMAGE}/var/lib/dpkg/status", f"Dir::Cache::archives={_PACKAGES}/"]
    command = ["apt-get", "--quiet", "--yes", "--no-install-recommends", "--download-only"]
    command += [word for option in options for word in ("--option", option)]
    return subprocess.run([*command, "install", "podman", "crun"], check=False, capture_output=True).returncode == 0


def _fetch_collection() -> bool:
    """The collection as the package index has it: among all those of the package ``ansible``."""
    if (_COLLECTIONS / _COLLECTION).is_dir():
        return True
    _COLLECTIONS.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", _COLLECTIONS, "ansible"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return False
    [wheel] = _COLLECTIONS.glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(_COLLECTIONS, [name for name in archive.namelist() if name.startswith(_COLLECTION)])
    wheel.unlink()
    return True
