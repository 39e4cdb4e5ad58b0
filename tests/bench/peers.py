# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""crun, runc and bwrap on the same root: an overlay with shifted ids that is mounted already, and the same namespaces.

What they are spared here, and the engine is not: the overlay, the seccomp filter, the log, version 1 limits.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import status
from ansible_collections.hosting.jails.plugins.module_utils._engine.launch.tree import MASKED, READ_ONLY
from ansible_collections.hosting.jails.plugins.module_utils._kernel import mounts, user_namespaces
from ansible_collections.hosting.jails.tests.bench.engine import milliseconds, run
from ansible_collections.hosting.jails.tests.bench.ground import PREFIX

_BASE, _SIZE = 1 << 30, 65536
_SPARED = "its overlay is mounted beforehand; no filter, no log"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CAPABILITIES = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SETFCAP"


def mount_roots(scratch: str, lower: str, count: int) -> list[str]:
    """Directories with a root each, as the engine would mount it."""
    user_namespace = user_namespaces.create(base=_BASE, size=_SIZE)
    layer = mounts.clone_tree(mounts.AT_FDCWD, lower)
    mounts.set_attributes(layer, 0, idmap=user_namespace)
    shown = f"{scratch}/lower"
    os.makedirs(shown)
    mounts.attach_at(layer, shown)
    os.close(layer)
    os.close(user_namespace)
    found = []
    for number in range(count):
        bundle = f"{scratch}/{PREFIX}peer-{number}"
        for name in ("upper", "work", "rootfs"):
            os.makedirs(f"{bundle}/{name}")
            os.chown(f"{bundle}/{name}", _BASE, _BASE)
        options = {"source": "bench", "lowerdir": shown, "upperdir": f"{bundle}/upper", "workdir": f"{bundle}/work"}
        overlay = mounts.new_filesystem("overlay", options.items())
        mounts.attach_at(overlay, f"{bundle}/rootfs")
        os.close(overlay)
        found.append(bundle)
    return found


class Oci:
    """An OCI runtime with a bundle a container."""

    def __init__(self, program: str, bundles: list[str]) -> None:
        self.bundles = bundles
        for bundle in bundles:
            Path(f"{bundle}/config.json").write_text(json.dumps(_configuration(Path(bundle).name)))
        self.note = _SPARED
        self._command = [program, "--root", f"{Path(bundles[0]).parent}/{Path(program).name}"]

    def start(self) -> float:
        """Start all containers one after the other; milliseconds a container."""
        return milliseconds(self._start, shared_by=len(self.bundles))

    def _start(self) -> None:
        for bundle in self.bundles:
            run([*self._command, "run", "--detach", "--bundle", bundle, Path(bundle).name])

    def stop(self) -> float:
        """Kill and forget all containers; milliseconds a container."""
        return milliseconds(self._stop, shared_by=len(self.bundles))

    def _stop(self) -> None:
        for bundle in self.bundles:
            run([*self._command, "delete", "--force", Path(bundle).name])

    def execute(self) -> None:
        """Run ``true`` in the first container."""
        run([*self._command, "exec", Path(self.bundles[0]).name, "true"])


@contextlib.contextmanager
def version_1_alone() -> Iterator[None]:
    """Hide the version 2 tree of a hybrid host in this mount namespace: crun refuses such hosts."""
    unified = status.hierarchies().unified
    if unified == "/sys/fs/cgroup":
        yield
        return
    tree = mounts.clone_tree(mounts.AT_FDCWD, unified)
    mounts.unmount(unified)
    try:
        yield
    finally:
        mounts.attach_at(tree, unified)
        os.close(tree)


def _configuration(name: str) -> dict[str, Any]:
    capabilities = [f"CAP_{capability}" for capability in _CAPABILITIES.split()]
    mapping = [{"containerID": 0, "hostID": _BASE, "size": _SIZE}]
    kinds = ("user", "pid", "ipc", "uts", "mount", "cgroup", "network")
    return {
        "ociVersion": "1.0.2",
        "hostname": name,
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sleep", "inf"],
            "env": [_PATH],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "mounts": [
            _mount("/proc", "proc"),
            _mount("/dev", "tmpfs", "nosuid", "mode=755", "size=512k"),
            _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            _mount("/dev/shm", "tmpfs", "nosuid", "nodev", "mode=1777"),
            _mount("/dev/mqueue", "mqueue", "nosuid", "nodev", "noexec"),
            _mount("/run", "tmpfs", "nosuid", "nodev", "mode=755"),
            _mount("/sys", "sysfs", "nosuid", "nodev", "noexec", "ro"),
        ],
        "linux": {
            "cgroupsPath": f"/jails/{name}",
            "namespaces": [{"type": kind} for kind in kinds],
            "uidMappings": mapping,
            "gidMappings": mapping,
            "maskedPaths": [f"/{path}" for path in MASKED],
            "readonlyPaths": [f"/{path}" for path in READ_ONLY],
        },
    }


def _mount(target: str, fstype: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": fstype, "source": fstype, "options": list(options)}


class Bubblewrap:
    """bwrap: no control group, no ids of its own, fewer mounts; its children die with us."""

    def __init__(self, program: str, bundles: list[str]) -> None:
        self.note = "no control group, no ids of its own"
        self._program = program
        self._bundles = bundles
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> float:
        """Start all one after the other, each until its program runs; milliseconds each."""
        return milliseconds(self._start, shared_by=len(self._bundles))

    def _start(self) -> None:
        for bundle in self._bundles:
            command = [self._program, "--unshare-all", "--die-with-parent", "--bind", f"{bundle}/rootfs", "/"]
            command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run", "sh", "-c", "echo; exec sleep inf"]
            started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            assert started.stdout is not None
            assert started.stdout.read(1) == b"\n"
            self._running.append(started)

    def stop(self) -> float:
        """Kill all; milliseconds each."""
        return milliseconds(self._stop, shared_by=len(self._bundles))

    def _stop(self) -> None:
        for started in self._running:
            started.kill()
            started.wait()
        self._running = []
