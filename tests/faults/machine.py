# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that belongs to one test: whatever the engine leaves behind, it leaves behind in here.

The test runs in a forked child with namespaces of its own for mounts, network and processes, with empty state
directories, with control groups of its own under the paths of the host's, and with a copy-on-write /usr/local. When
the first process of its pid namespace ends, the kernel kills whatever the test has left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.hosting.jails.plugins.module_utils._engine import install
from ansible_collections.hosting.jails.plugins.module_utils._kernel import files, mounts, namespaces, trees
from ansible_collections.hosting.jails.plugins.module_utils._kernel.cgroups import Cgroup, find_hierarchies
from ansible_collections.hosting.jails.plugins.module_utils._kernel.errors import KernelError
from ansible_collections.hosting.jails.plugins.module_utils._kernel.processes import die_with, set_parent_death_signal
from ansible_collections.hosting.jails.tests.integration.engine import network_host

BUILD = Path(__file__).resolve().parents[2] / ".build"
STATE_DIRECTORIES = ("/etc/jails", "/run/jails", "/var/lib/jails", "/var/log/jails")
_PREFIX = "faults-"
_ENGINE = "machines-engine-"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def run(function: Callable[[], Any]) -> tuple[Any, int]:
    """Run a function on a machine of its own; its result (None when it died) and the wait status."""
    _sweep()
    engine, runner = installed_engine(), os.getpid()
    scratch, held = _make_scratch()
    with files.closing(held):
        group = Cgroup(find_hierarchies(), os.path.basename(scratch))
        group.create()
        try:
            return in_child(lambda: _enter(function, engine, scratch, group, runner))
        finally:
            _take_down(group, scratch, patience=30.0)


def _take_down(group: Cgroup, scratch: str, *, patience: float) -> None:
    group.kill()
    group.wait_empty(patience)
    group.remove(timeout=patience)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(scratch)


def _make_scratch() -> tuple[str, int]:
    """A directory, and the descriptor by which we hold it. One that was swept before we did is made anew."""
    while True:
        scratch = tempfile.mkdtemp(prefix=_PREFIX)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            held = _hold(scratch)
            if os.path.isdir(scratch):
                return scratch, held
            os.close(held)


def _hold(directory: str) -> int:
    """Keep others from sweeping a directory, as long as we have this descriptor or a child of ours has it."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise
    return held


def _sweep() -> None:
    """Take down what machines have left whose run was killed: nobody holds their directory.

    What cannot be killed yet is left to the next that sweeps.
    """
    hierarchies = find_hierarchies()
    places = (*hierarchies.roots, tempfile.gettempdir())
    for name in {path.name for place in places for path in Path(place).glob(f"{_PREFIX}*") if path.is_dir()}:
        scratch = f"{tempfile.gettempdir()}/{name}"
        with contextlib.suppress(FileNotFoundError, BlockingIOError, KernelError), contextlib.ExitStack() as stack:
            if os.path.isdir(scratch):
                stack.enter_context(files.closing(_hold(scratch)))
            _take_down(Cgroup(hierarchies, name), scratch, patience=0.2)


def in_child(function: Callable[[], Any]) -> tuple[Any, int]:
    """Result of a function that runs in a forked child, None when that dies; and its wait status."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            answer = pickle.dumps(function())
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(answer)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _unused, status = os.waitpid(pid, 0)
    return pickle.loads(answer) if answer else None, status


@lru_cache(maxsize=1)
def installed_engine() -> str:
    """Directory of an engine that every machine finds in its /usr/local: compiling it takes a second."""
    directory = _make_engine_directory()
    for name in ("upper", "work"):
        os.mkdir(f"{directory}/{name}", 0o755)
    # Named once for all children: the sources may be edited while the tests run.
    install.engine_version()
    done, _unused = in_child(lambda: _install(directory))
    assert done, "the engine cannot be installed"
    return f"{directory}/upper"


def _make_engine_directory() -> str:
    """A directory that is held until this process and all of its machines have ended; those that nobody holds go."""
    BUILD.mkdir(exist_ok=True)
    with files.Lock(f"{BUILD}/.machines.lock"):
        for left in BUILD.glob(f"{_ENGINE}*"):
            with contextlib.suppress(BlockingIOError, FileNotFoundError), files.closing(_hold(str(left))):
                shutil.rmtree(left)
        directory = tempfile.mkdtemp(prefix=_ENGINE, dir=BUILD)
        _hold(directory)
    return directory


def _install(directory: str) -> bool:
    namespaces.unshare(namespaces.NEWNS)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    _overlay("/usr/local", directory, lower="/usr/local")
    # Nothing of an engine of the host's may show through: it can go while the machines run.
    trees.remove_tree(install.PREFIX)
    install._remove_command()
    install.install()
    return True


def discard_engine() -> None:
    """Remove what the machines shared; at the end of all tests."""
    if installed_engine.cache_info().currsize:
        shutil.rmtree(os.path.dirname(installed_engine()))
        installed_engine.cache_clear()


def _overlay(path: str, directory: str, *, lower: str) -> None:
    options = f"lowerdir={lower},upperdir={directory}/upper,workdir={directory}/work"
    mounts.mount("faults", path, "overlay", 0, options)


# Of jails, and of the hosts that other suites boot for themselves, whose image is being built or has been.
_PASSING = ("/run/jails/", "/run/test-hosts/", f"{BUILD}/hosts/")


def _let_go_of_what_passes() -> None:
    """Mounts that others make and remove meanwhile: on our list they would change names, or vanish from it."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        passing = [path for path in (line.split()[4] for line in file) if path.startswith(_PASSING)]
    for path in reversed(passing):
        mounts.unmount(path, mounts.MNT_DETACH)


def _layers(scratch: str, name: str) -> str:
    for layer in ("upper", "work"):
        os.makedirs(f"{scratch}/layers/{name}/{layer}", 0o755)
    return f"{scratch}/layers/{name}"


def _enter(function: Callable[[], Any], engine: str, scratch: str, group: Cgroup, runner: int) -> Any:
    die_with(runner)
    enter_state(engine, scratch, group)
    network_host.enter_private_host()
    namespaces.unshare(namespaces.NEWPID | namespaces.NEWIPC)
    answer, _unused = in_child(lambda: _be_init(function, f"{scratch}/answer"))
    return answer


def enter_state(engine: str, scratch: str, group: Cgroup) -> None:
    """Leave the machine's file systems and control groups for some in which no jail has ever been."""
    # A namespace begins where we are, and what is below it can have controllers only when we are not (cgroups(7)).
    group.join()
    namespaces.unshare(namespaces.NEWNS | namespaces.NEWCGROUP)
    group.join(below=True)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    _let_go_of_what_passes()
    mounts.mount("tmpfs", scratch, "tmpfs", 0, "mode=0755,size=4g")
    _overlay("/usr/local", _layers(scratch, "usr-local"), lower=f"{engine}:/usr/local")
    for directory in STATE_DIRECTORIES:
        # When the host removes a directory, what others have mounted there is detached: so on a copy of it.
        parent = os.path.dirname(directory)
        _overlay(parent, _layers(scratch, parent.replace("/", "-")), lower=parent)
        os.makedirs(directory, 0o700, exist_ok=True)
        mounts.mount("tmpfs", directory, "tmpfs", 0, "mode=0700,size=4g")
    for directory in group.directories:
        mounts.mount(directory, directory[: -len(group.name) - 1], None, mounts.MS_BIND)


def _be_init(function: Callable[[], Any], answer: str) -> Any:
    """Process 1 of the machine: it reaps what the engine orphans until the test ends, and takes everything along."""
    set_parent_death_signal(signal.SIGKILL)
    mounts.mount("proc", "/proc", "proc", 0)
    test = os.fork()
    if test == 0:
        with contextlib.suppress(BaseException):
            Path(answer).write_bytes(pickle.dumps(function()))
        os._exit(0)
    while os.waitpid(-1, 0)[0] != test:
        pass
    return pickle.loads(Path(answer).read_bytes()) if os.path.exists(answer) else None


def processes() -> dict[int, str]:
    """The machine's processes without its init and the test: pid and command line."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in (1, os.getpid()):
            with contextlib.suppress(OSError):
                found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_text(errors="replace").replace("\0", " ")
    return found


def kill_everything() -> None:
    """Leave no process of the machine but the test."""
    while remaining := processes():
        for pid in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def reboot() -> None:
    """A power cut and a boot: no process, no /run, no control group, no link of a jail, another boot id."""
    kill_everything()
    mounts.unmount("/run/jails", mounts.MNT_DETACH)
    mounts.mount("tmpfs", "/run/jails", "tmpfs", 0, "mode=0700")
    Cgroup(find_hierarchies(), "jails").remove()
    while any(item.startswith("link jl") for item in network_host.world()):
        time.sleep(0.005)
    Path("/run/jails/.boot-id").write_text("00000000-0000-4000-8000-000000000001\n")
    mounts.mount("/run/jails/.boot-id", BOOT_ID, None, mounts.MS_BIND)
