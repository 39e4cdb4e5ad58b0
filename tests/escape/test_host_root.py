# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nothing but ids keeps a jail's root from elsewhere, where the jail has no user namespace: he owns it.

The catalogue is tried in such jails by test_verify.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import verification
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.catalogue import ATTACKS
from ansible_collections.hosting.jails.tests.integration import jails

from .prisoners import Outside, Prisoner

# It says what it may do with the very file that a stream of its is.
_OF_A_STREAM = """
import errno, os, sys
def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
mode = os.fstat(1).st_mode & 0o7777
said = [attempt(lambda: os.fchmod(1, mode)), attempt(lambda: os.fchown(1, 0, 0)), attempt(lambda: os.utime(1))]
open("/root/said", "w").write(" ".join(said))
"""


@pytest.fixture(scope="module")
def on_host(outside: Outside) -> Iterator[Prisoner]:
    """Under a profile with as much as such a jail may have."""
    hooks = [{"stage": "poststart", "where": "jail", "command": ["python3", "-c", _OF_A_STREAM]}]
    caps = {"profile": "freebsd", "keep": ["IPC_LOCK", "IPC_OWNER"], "user_namespace": False}
    with outside.prisoner("on-host", caps=caps, hooks=hooks, ip={"mode": "none"}) as made:
        yield made


def _python_of_the_engine() -> tuple[float, int, int]:
    status = os.stat("/usr/bin/python3")
    return status.st_mtime, status.st_mode, status.st_size


@pytest.mark.parametrize("trap", ["link", "script"])
def test_whoever_enters_does_not_run_the_engines_program_for_it(on_host: Prisoner, trap: str) -> None:
    """CVE-2019-5736: what was run so could be opened, and once it has ended be written to by its owner."""
    make = {"link": "ln -sf /proc/self/exe /trap", "script": "printf '#!/proc/self/exe -c\\n' > /trap"}[trap]
    on_host.script(f"rm -f /trap; {make}; chmod +x /trap || true")
    before = _python_of_the_engine()
    done = on_host.run("/trap", "-c", "print('an engine')")
    assert (done.returncode, done.stdout) == (127, "")
    assert "cannot be executed" in done.stderr
    assert "Error" not in done.stderr
    assert _python_of_the_engine() == before


def test_neither_does_its_first_process(outside: Outside) -> None:
    source = f"{outside.directory}/image.tar"
    (outside.directory / "image/proc").mkdir(parents=True)
    (outside.directory / "image/trap").symlink_to("/proc/self/exe")
    subprocess.run(["tar", "-cf", source, "-C", outside.directory / "image", "."], check=True)
    document = {"command": ["/trap", "-c", "print('an engine')"], "init": "none", "mounts": [], "ip": {"mode": "none"}}
    rootfs = {"source": {"archive": {"path": source}}}
    with outside.prisoner(
        "on-host-first", state="present", rootfs=rootfs, caps={"user_namespace": False}, **document
    ) as it:
        with jails.long_trials(), pytest.raises(Exception, match="ended"):
            it.converge(state="started")
        jails.wait_until(lambda: "cannot be executed" in it.log(), what="its complaint")
        assert "an engine" not in it.log()


@pytest.mark.thorough
def test_a_command_in_it_gets_no_further_than_the_engines_attackers(on_host: Prisoner) -> None:
    """They carry the engine's program, of which it would be the owner, and a command does not."""
    assert [one for one in on_host.findings() if one.verdict not in ("ok", "skipped")] == []
    works = {one.attack for one in on_host.findings() if one.outcome == "works"}
    document, policy = verification.policy_for(on_host.name)
    request = {"attacks": [name for name, one in ATTACKS.items() if one.user == 0 and name != "grab_who_enters"]}
    with verification.bait_for(on_host.name) as bait:
        facts = verification.facts_of(document, policy, init=on_host.pid, bait=bait)
        done = on_host.run("python3", "/probe", input=json.dumps({**request, "facts": {**facts, "own_ids": True}}))
    found = {name for name, outcome in json.loads(done.stdout).items() if outcome[0]}
    assert found - works == set()


def test_a_program_that_is_lent_to_it_cannot_be_changed(on_host: Prisoner) -> None:
    """Its first process is the host's own init, on a mount that is read-only."""
    attempts = "for how in 'chmod 0755' 'chown 0' 'touch -c'; do $how /proc/1/exe 2>&1 || true; done"
    said = on_host.script(attempts).splitlines()
    assert len(said) == 3
    assert all("Read-only file system" in line for line in said)


def test_what_its_commands_read_and_write_is_not_what_their_caller_has(on_host: Prisoner) -> None:
    """Who owns a pipe opens it again by its other end."""
    script = "import os; print(*(os.fstat(fd).st_ino for fd in range(3)))"
    command = jails.jailctl_command("exec", on_host.name, "--", "python3", "-c", script)
    pipes = [os.pipe() for _unused in range(3)]
    (stdin, _unused), (stdout, said), (_unused, stderr) = pipes
    try:
        subprocess.run(command, stdin=stdin, stdout=said, stderr=stderr, check=True, timeout=60)
        theirs = set(map(int, os.read(stdout, 1024).split()))
        assert len(theirs) == 3
        assert not theirs & {os.fstat(fd).st_ino for pipe in pipes for fd in pipe}
    finally:
        for fd in (fd for pipe in pipes for fd in pipe):
            os.close(fd)


def test_a_hook_in_it_does_not_own_the_null_device(on_host: Prisoner) -> None:
    assert on_host.script("cat /root/said") == "EROFS EROFS EROFS"
    assert stat.S_IMODE(os.stat("/dev/null").st_mode) == 0o666


_CHANGES_OF_THE_LIMIT = """
import ctypes, os, resource
limit, libc = (ctypes.c_ulong * 2)(0, 0), ctypes.CDLL(None)
for change in (
    lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 1)),
    lambda: resource.prlimit(1, resource.RLIMIT_CORE, (0, 1)),
    lambda: libc.syscall({"x86_64": 160, "aarch64": 164}[os.uname().machine], 4, limit),
):
    change()
print(resource.getrlimit(resource.RLIMIT_CORE), resource.prlimit(1, resource.RLIMIT_CORE))
"""


def test_the_hosts_handler_of_crashes_is_not_called_for_it(on_host: Prisoner) -> None:
    """One byte keeps a handler out that is a pipe; any other limit, and 0 as well, would have it called."""
    assert on_host.output("python3", "-c", _CHANGES_OF_THE_LIMIT) == "(1, 1) (1, 1)\n"
