# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies about for the length of a verification is gone with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify import litter
from ansible_collections.hosting.jails.plugins.module_utils._engine.verify.calls import syscall


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    for name in ("state", "one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(litter.places, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(litter, "DIRECTORIES", (str(tmp_path / "one"), str(tmp_path / "two"), "/nowhere"))
    return tmp_path


def _is_there(what, *arguments):
    with contextlib.suppress(OSError):
        number = syscall(what, *arguments)
        if what == "mq_open":
            os.close(number)
        return True
    return False


def _present(marker, places):
    """What there is under a name."""
    key = litter.key_of(marker)
    calls = {"shmget": (key, 0, 0), "semget": (key, 0, 0), "msgget": (key, 0)}
    calls["mq_open"] = (marker.encode(), os.O_RDONLY, 0, None)
    found = {name for name, arguments in calls.items() if _is_there(name, *arguments)}
    return found | {name for name in ("one", "two") if (places / name / marker).exists()}


def _records(places):
    return [path.name for path in (places / "state").iterdir()]


def _until_gone(marker, places):
    end = time.monotonic() + 30
    while (_present(marker, places) or _records(places)) and time.monotonic() < end:
        time.sleep(0.01)
    assert (_present(marker, places), _records(places)) == (set(), [])


def _killed(moment):
    """Have a verification that is killed at a moment: what it laid about goes by the name that this returns."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        lying = litter.Litter()
        os.write(writer, f"{lying.token}-0\n".encode())
        moment(lying)
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        marker = pipe.readline().strip()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    return marker


def _kill_ourselves(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)


def _before_anything(lying):
    with lying:
        _kill_ourselves()


def _with_all_of_it(lying):
    with lying:
        lying.lay(f"{lying.token}-0")
        _kill_ourselves()


def _in_the_middle(lying):
    real = litter.syscall
    with lying:
        litter.syscall = lambda name, *rest: _kill_ourselves() if name == "msgget" else real(name, *rest)
        lying.lay(f"{lying.token}-0")


def _while_it_clears_away(lying):
    with lying:
        lying.lay(f"{lying.token}-0")
        os.kill(lying._keeper, signal.SIGKILL)
        litter._clear = _kill_ourselves


def _together_with_the_keeper(lying):
    with lying:
        lying.lay(f"{lying.token}-0")
        os.kill(lying._keeper, signal.SIGKILL)
        os.waitpid(lying._keeper, 0)
        _kill_ourselves()


def test_it_is_there_in_the_block_and_not_after_it(places):
    with litter.Litter() as lying:
        marker = f"{lying.token}-0"
        laid = lying.lay(marker)
        assert _present(marker, places) >= {"shmget", "semget", "msgget", "one", "two"}
        assert laid["files"] == [str(places / "one" / marker), str(places / "two" / marker)]
        assert laid["shm_key"] == litter.key_of(marker)
    assert (_present(marker, places), _records(places)) == (set(), [])


@pytest.mark.parametrize("moment", [_before_anything, _in_the_middle, _with_all_of_it])
def test_it_goes_with_a_process_that_is_killed(moment, places):
    _until_gone(_killed(moment), places)


@pytest.mark.parametrize("moment", [_together_with_the_keeper, _while_it_clears_away])
def test_what_is_left_all_the_same_is_swept_by_the_next(moment, places):
    marker = _killed(moment)
    assert _present(marker, places) >= {"shmget", "one", "two"}
    with litter.Litter():
        assert _present(marker, places) == set()
    assert _records(places) == []


def test_what_another_verification_needs_stays(places):
    with litter.Litter() as lying:
        marker = f"{lying.token}-0"
        lying.lay(marker)
        before = _present(marker, places)
        with litter.Litter():
            litter.sweep()
            assert _present(marker, places) == before


def test_it_leaves_alone_what_somebody_else_has_under_its_key(places):
    with litter.Litter() as lying:
        marker = f"{lying.token}-0"
        number = syscall("semget", litter.key_of(marker), 1, 0o1600)
        try:
            with pytest.raises(FileExistsError):
                lying.lay(marker)
        finally:
            syscall("semctl", number, 0, 0, 0)


def test_its_keeper_holds_nothing_of_the_caller_open(places):
    """Whoever waits for the end of our output must not wait for the keeper."""
    with litter.Litter() as lying:
        held = Path(f"/proc/{lying._keeper}/fd")
        end = time.monotonic() + 30
        while len(list(held.iterdir())) > 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(list(held.iterdir())) == 2
