# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that has never had a jail, and lacks all that the role host would install."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.hosting.jails.tests.hosts import archives, sets
from ansible_collections.hosting.jails.tests.integration.fleet.runs import Controller

_PACKAGES = ("catatonit", "mmdebstrap", "nftables", "procps", "python3-apt", "python3-pyroute2")
_FIND = ("find", "/etc", "/run", "/usr", "/var", "-name", "*jail*")
_VARIABLES = {
    "jails_templates": [{"name": "small", "source": {"archive": {"path": f"{archives.SHOWN}/small.tar"}}}],
    "jails_defaults": {"rootfs": {"source": {"template": "small"}}, "command": ["sleep", "100000"]},
    "jails": [{"name": "web", "ip": {"mode": "vnet", "addresses": ["10.33.101.1/32"]}}],
}


def test_a_check_foresees_it_all_and_every_playbook_copes_with_nothing(tmp_path: Path) -> None:
    with sets.running(1, purpose="new") as hosts:
        [host] = hosts
        host.run("dpkg", "--remove", "--force-depends", *_PACKAGES)
        controller = Controller(tmp_path, hosts, **_VARIABLES)
        before = host.run(*_FIND).stdout
        foreseen = controller.succeed("hosting.jails.site", "--check", "--diff")
        assert "catatonit, mmdebstrap, nftables, procps, python3-pyroute2" in foreseen.output
        assert "need small, which a real run would build first: web" in foreseen.output
        controller.succeed("hosting.jails.upgrade")
        controller.succeed("hosting.jails.status", "--extra-vars", f"status_page={tmp_path}/page.html")
        controller.succeed("hosting.jails.drain", "--limit", host.name, "--check")
        assert host.run(*_FIND).stdout == before
