# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The system that all hosts share: Debian of this machine's own release with systemd, sshd and what a jail host needs.

Built once a checkout from this machine's package sources, which takes a minute or two. A host adds a layer of its own.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import packages
from ansible_collections.hosting.jails.plugins.module_utils._kernel import trees
from ansible_collections.hosting.jails.tests.hosts import places

# Somebody who is not root and may become it.
USER = "deploy"

# A plain server, and what the role host installs: no host reaches a mirror.
_PACKAGES = tuple(
    """
    systemd-sysv dbus libpam-systemd openssh-server sudo
    python3 python3-apt python3-pyroute2
    ca-certificates catatonit debian-archive-keyring iproute2 mmdebstrap nftables procps
    """.split()
)
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# Nothing to log in at, nobody to ask for updates, no door to this machine's kernel.
_MASKED = tuple(
    """
    apt-daily.timer apt-daily-upgrade.timer console-getty.service dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer getty.target systemd-modules-load.service
    dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-debug.mount sys-kernel-tracing.mount
    """.split()
)
_FILES = {
    "etc/apt/apt.conf.d/99offline": 'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n',
    "etc/ssh/sshd_config.d/hosts.conf": (
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 100\n"
    ),
    f"etc/sudoers.d/{USER}": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
}


def ensure() -> Path:
    """Root directory of the image."""
    places.BUILD.mkdir(parents=True, exist_ok=True)
    recipe = packages.resolve({"include": list(_PACKAGES)})
    wanted = "\n".join([recipe.suite, *recipe.include, *_LEFT_OUT, *_MASKED, *_FILES.values()])
    made_of = places.BUILD / "image.made-of"
    with open(places.BUILD / "image.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not places.IMAGE.exists() or not made_of.exists() or made_of.read_text(encoding="utf-8") != wanted:
            _build(recipe)
            made_of.write_text(wanted, encoding="utf-8")
    return places.IMAGE


def _build(recipe: packages.Recipe) -> None:
    sources, options = places.BUILD / "image.sources", places.BUILD / "image.conf"
    sources.write_text(recipe.sources, encoding="utf-8")
    options.write_text(recipe.apt_options, encoding="utf-8")
    partial = places.BUILD / "image.partial"
    trees.remove_tree(str(partial))
    command = ["mmdebstrap", "--quiet", "--mode=root", "--format=directory", f"--variant={recipe.variant}"]
    command += [f"--aptopt={options}", f"--include={','.join(recipe.include)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    subprocess.run([*command, recipe.suite, str(partial), str(sources)], check=True, stdin=subprocess.DEVNULL)
    _set_up(partial)
    trees.remove_tree(str(places.IMAGE))
    partial.rename(places.IMAGE)


def _set_up(root: Path) -> None:
    for name, content in _FILES.items():
        (root / name).write_text(content, encoding="utf-8")
    for unit in _MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name in ("var/lib/jails", "etc/jails"):
        assert not (root / name).exists(), f"the image is to be a host without jails, and has {name}"
    useradd = ["useradd", "--create-home", "--shell", "/bin/bash", USER]
    subprocess.run(["chroot", str(root), *useradd], check=True, env={"PATH": os.defpath + ":/usr/sbin:/sbin"})
