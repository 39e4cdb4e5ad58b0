# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real jails for tests: a Debian to clone, a jail for the length of a block, and what must not be left behind.

Suites run at the same time on one machine, so everything of a suite has a name with a prefix of its own, and a suite
looks only at what bears that prefix.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import apply as executor
from ansible_collections.hosting.jails.plugins.module_utils._engine import converge as engine
from ansible_collections.hosting.jails.plugins.module_utils._engine import install, places, report, status, store
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import packages, templates
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor import client, protocol, server
from ansible_collections.hosting.jails.plugins.module_utils._engine.supervisor.connection import try_connect
from ansible_collections.hosting.jails.plugins.module_utils._model.wanted import Wanted

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / ".build"
PREFIX = "eng-"
TEMPLATE = f"{PREFIX}debian"

_PACKAGES = (
    "nginx-light",
    "procps",
    "iproute2",
    "python3-minimal",
    "libpython3-stdlib",
    "redis-server",
    "sudo",
    "systemd-sysv",
)
# Nothing that a test reads; without them the archive has half the size.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")

# What a loaded machine may need for what takes a moment otherwise; what comes to no end takes longer than any of it.
PATIENCE = 60.0

# The beginning of a jail's command that is to end some time after its start: one that ends at once fails the start,
# and what is at once depends on the machine. See Jail.let_go.
UNTIL_LET_GO = "while ! test -e /let-go; do sleep 0.02; done; "

T = TypeVar("T")


def debian_root() -> Path:
    """A tar archive of a minimal Debian of the host's own release; built once a checkout, which takes half a minute."""
    archive = BUILD / "test-root.tar"
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "test-root.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recipe = packages.resolve({"include": list(_PACKAGES)})
        made_of = BUILD / "test-root.made-of"
        wanted = "\n".join([*recipe.include, *_LEFT_OUT, recipe.suite])
        if not archive.exists() or not made_of.exists() or made_of.read_text() != wanted:
            _build_root(recipe, archive)
            made_of.write_text(wanted)
    return archive


def _build_root(recipe: packages.Recipe, archive: Path) -> None:
    sources, options = BUILD / "test-root.sources", BUILD / "test-root.conf"
    sources.write_text(recipe.sources)
    options.write_text(recipe.apt_options)
    partial = archive.with_suffix(".partial")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--format=tar", f"--variant={recipe.variant}"]
    command += [f"--aptopt={options}", f"--include={','.join(recipe.include)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    subprocess.run([*command, recipe.suite, str(partial), str(sources)], check=True, stdin=subprocess.DEVNULL)
    partial.rename(archive)


@contextlib.contextmanager
def template(name: str = TEMPLATE) -> Iterator[str]:
    """A template of ``debian_root``, for all jails of a suite to be clones of."""
    templates.ensure(name, {"archive": {"path": str(debian_root())}})
    owner = os.getpid()
    try:
        yield name
    finally:
        if os.getpid() == owner:  # see nothing_left
            templates.remove(name)


def converge(
    name: str,
    *,
    state: str | None = None,
    part: str = "jail",
    apply: str = "live",
    check: bool = False,
    reset: bool = False,
    **given: Any,
) -> dict[str, Any]:
    """What a task of the module for ``part`` does, without Ansible; its result."""
    wanted = Wanted(jail=name, given=given, state=state, part=part, reset=reset)
    return engine.converge(wanted, apply_mode=apply, check=check)


@contextlib.contextmanager
def long_trials() -> Iterator[None]:
    """Have tasks of this process watch what they start until it has ended: what is at once depends on the machine."""
    with mock.patch.multiple(executor, _TRIAL_SECONDS=PATIENCE, _SETTLE_SECONDS=PATIENCE):
        yield


class Jail:
    """A jail under test."""

    def __init__(self, name: str) -> None:
        self.name = name

    def converge(self, **task: Any) -> dict[str, Any]:
        """Run a task on it: see ``converge``."""
        return converge(self.name, **task)

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a command in it: see ``run_in``."""
        return run_in(self.name, *command, **options)

    def output(self, *command: str, **options: Any) -> str:
        """What a command in it prints; the command has to succeed."""
        done = self.run(*command, **options)
        assert done.returncode == 0, (command, done)
        return str(done.stdout)

    def script(self, text: str, **options: Any) -> str:
        """What a shell script in it prints; the script has to succeed."""
        return self.output("sh", "-euc", text, **options)

    def describe(self, *gather: str) -> dict[str, Any]:
        """What jail_info says of it."""
        return report.describe(self.name, gather or ("status",))

    @property
    def state(self) -> str:
        return status.run_state(self.name)

    @property
    def pid(self) -> int:
        """Its init, as the host sees it."""
        state = store.read_state(self.name)
        assert state is not None, f"{self.name} was never started"
        return state.pid

    @property
    def cgroup(self) -> Any:
        return status.group(self.name)

    def commands(self) -> dict[int, str]:
        """What its processes run, by their pids on the host; those that have just ended are left out."""
        found = {}
        for pid in processes_of(self.name):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
                found[pid] = line.replace("\0", " ").strip()
        return found

    def let_go(self) -> None:
        """Have its command go on that waits by UNTIL_LET_GO, in this life and in those to come."""
        Path(f"/proc/{self.pid}/root/let-go").touch()

    def log(self) -> str:
        """What its command has printed."""
        return "".join(
            path.read_text(errors="replace")
            for path in map(Path, [f"{places.log(self.name)}.2", f"{places.log(self.name)}.1", places.log(self.name)])
            if path.exists()
        )

    def remove(self) -> None:
        """Remove it whatever has become of it."""
        try:
            converge(self.name, state="absent")
        except Exception:
            group = status.group(self.name)
            if group.exists():
                group.kill()
                group.freeze(False)
                group.wait_empty(5)
            converge(self.name, state="absent")


@contextlib.contextmanager
def jail(name: str, *, state: str | None = "started", **document: Any) -> Iterator[Jail]:
    """A jail for the length of a block; without a ``rootfs`` it is a clone of the suite's template (``template``)."""
    made = Jail(name)
    prefix = name.partition("-")[0]
    document.setdefault("rootfs", {"source": {"template": f"{prefix}-debian"}})
    try:
        made.converge(state=state, **document)
        yield made
    finally:
        made.remove()


def jailctl(*arguments: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run jailctl, the very engine of this checkout; ``options`` as of subprocess.run."""
    pipes = {} if options.get("capture_output") is False else {"capture_output": True}
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options = {"text": True, "timeout": 5 * PATIENCE, **pipes, **options}
    options = {key: value for key, value in options.items() if (key, value) != ("capture_output", False)}
    check = bool(options.pop("check", False))
    return subprocess.run(jailctl_command(*arguments), check=check, **options)


def ansible_environment(**more: str) -> dict[str, str]:
    """The environment of an Ansible that knows this collection, and leaves nothing in a home directory."""
    home = BUILD / "ansible"
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "link"),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        **more,
    }


def jailctl_command(*arguments: str) -> list[str]:
    """The command line of jailctl, for a process of one's own."""
    return [*install.ensure_engine(), *arguments]


def heed_interrupts() -> None:
    """For a process that is to be interrupted, before its exec: what a shell runs in the background ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_in(name: str, *command: str, options: Sequence[str] = (), **how: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command in a jail by ``jailctl exec``; ``options`` are those of exec, ``how`` those of subprocess.run."""
    return jailctl("exec", *options, name, "--", *command, **how)


def wait_until(condition: Callable[[], T], *, timeout: float = PATIENCE, what: str = "") -> T:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout} s in vain: {what or condition}"
        time.sleep(0.01)


def leftovers(prefix: str = PREFIX) -> list[str]:
    """Everything on this machine that belongs to jails and templates whose names start so; sorted, for comparison."""
    found = [*_files(prefix), *_mounts(prefix), *_control_groups(prefix), *_processes(prefix), *_links(prefix)]
    return sorted([*found, *_allocations(prefix)])


@contextlib.contextmanager
def nothing_left(prefix: str = PREFIX, *, timeout: float = PATIENCE / 2) -> Iterator[None]:
    """Claim of a block that the machine is afterwards as it was before; processes get a moment to be gone."""
    owner, before = os.getpid(), leftovers(prefix)
    yield
    if os.getpid() != owner:
        return  # A forked child ends with its copy of all that is open in its parent.
    deadline = time.monotonic() + timeout
    while (after := leftovers(prefix)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert after == before, f"left behind: {sorted(set(after) - set(before))}, gone: {sorted(set(before) - set(after))}"


def fixtures(prefix: str = PREFIX) -> tuple[Any, Any]:
    """``template`` and ``nothing_left`` for the conftest of a suite whose jails have names that begin so."""

    @pytest.fixture(scope="session", name="template")
    def made() -> Iterator[str]:
        """A Debian to clone, made from an archive once a session: the root of every ``jail``."""
        with nothing_left(prefix), template(f"{prefix}debian") as name:
            yield name

    @pytest.fixture(scope="module", name="nothing_left")
    def clean(template: str) -> Iterator[None]:
        """The file's tests leave nothing on the machine, all of them together."""
        with nothing_left(prefix):
            yield

    return made, clean


def supervisor_pid() -> int | None:
    """Pid of the supervisor that watches this host's jails, None when there is none."""
    connection = try_connect()
    if connection is None:
        return None
    with connection, contextlib.suppress(OSError):
        protocol.send(connection, {"do": protocol.PING})
        return int((protocol.receive(connection) or {"pid": 0})["pid"]) or None
    return None


def kill_supervisor() -> int:
    """Kill the host's supervisor as the kernel's memory killer would; its pid."""
    pid = supervisor_pid()
    assert pid, "no supervisor runs"
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the supervisor to be gone")
    return pid


@contextlib.contextmanager
def own_supervisor() -> Iterator[int]:
    """Have the host's jails supervised by a fork of this very process, with all that a test has changed in it."""
    dismiss_supervisor()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            server.main(install.engine_version(), stay=True)
        finally:
            os._exit(0)
    try:
        wait_until(lambda: os.path.exists(places.SUPERVISOR_SOCKET), what="our supervisor")
        yield pid
    finally:
        dismiss_supervisor()
        os.waitpid(pid, 0)


def dismiss_supervisor() -> None:
    """Ask the host's supervisor to leave, if there is one, and see it go."""
    connection = try_connect()
    if connection is not None:
        client._dismiss(connection)
        wait_until(lambda: not os.path.exists(places.SUPERVISOR_SOCKET), what="the supervisor to leave")


def processes_of(name: str) -> list[int]:
    """Pids of all processes of a jail, as the host sees them."""
    return [int(line.partition(" ")[0]) for line in _processes_in(f"/{places.CGROUP}/{name}")]


def _files(prefix: str) -> Iterator[str]:
    for directory in (
        places.DOCUMENTS,
        places.RUNTIME,
        places.LOGS,
        f"{places.STATE}/roots",
        f"{places.STATE}/templates",
    ):
        with contextlib.suppress(FileNotFoundError):
            # Whatever is half made has a hidden name with the jail's in it.
            yield from (f"file {directory}/{name}" for name in os.listdir(directory) if prefix in name)


def _mounts(prefix: str) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f"/{prefix}" in line.split()[4]:
            yield f"mount {line.split()[4]}"


def _control_groups(prefix: str) -> Iterator[str]:
    for root in status.hierarchies().roots:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(f"{root}/{places.CGROUP}"):
                if name.startswith(prefix):
                    yield f"cgroup {root}/{places.CGROUP}/{name}"


def _processes(prefix: str) -> list[str]:
    return [f"process {line}" for line in _processes_in(f"/{places.CGROUP}/{prefix}", whole=False)]


def _processes_in(group: str, *, whole: bool = True) -> list[str]:
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            groups = [line.split(":", 2)[2] for line in Path(f"/proc/{entry}/cgroup").read_text().splitlines()]
            if any(name == group or name.startswith(f"{group}/" if whole else group) for name in groups):
                found.append(f"{entry} {Path(f'/proc/{entry}/comm').read_text().strip()}")
    return found


def _links(prefix: str) -> Iterator[str]:
    for name in os.listdir("/sys/class/net"):
        with contextlib.suppress(OSError):
            alias = Path(f"/sys/class/net/{name}/ifalias").read_text().strip()
            if alias.rpartition(" ")[2].startswith(prefix):
                yield f"link {name} {alias}"


def _allocations(prefix: str) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        for name in json.loads(Path(places.ALLOCATIONS).read_text()):
            if name.startswith(prefix):
                yield f"allocation {name}"
