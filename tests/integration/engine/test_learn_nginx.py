# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx as its distribution has it, from every privilege that there is down to those that it needs."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.engine.test_learn import told
from ansible_collections.hosting.jails.tests.integration.jails import jailctl, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")

NAME = "eng-learns-nginx"
CLIENT = "from urllib.request import urlopen as o; assert b'nginx' in o('http://127.0.0.1/', timeout=5).read()"
ASKS = ("python3", "-c", CLIENT)


def test_nginx_runs_under_what_was_learned_and_under_nothing_less(nothing_left: None) -> None:
    told()
    server = ["nginx", "-g", "daemon off;"]
    with jails.jail(NAME, command=server, caps={"profile": "vps"}, stop={"timeout": 2}) as it:
        done = jailctl("learn", "--time", "5", NAME, "--", *ASKS)
        assert done.returncode == 0, done
        section = yaml.safe_load(done.stdout)["caps"]
        # NET_BIND_SERVICE only counts in a network that the jail owns, and this one needs none of its own.
        assert section["profile"] == "none"
        assert {"SETGID", "SETUID"} <= set(section["keep"]) <= {"CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"}
        it.converge(caps=section, apply="restart")
        wait_until(lambda: it.run(*ASKS).returncode == 0, what="a page")
        workers = [row for row in it.describe("processes")["processes"] if "worker process" in row["command"]]
        assert {row["user"] for row in workers} == {"www-data"}
        for name in section["keep"]:
            less = {**section, "keep": [each for each in section["keep"] if each != name]}
            with contextlib.suppress(EngineError):
                it.converge(caps=less, apply="restart")
            assert it.run(*ASKS).returncode != 0, name
