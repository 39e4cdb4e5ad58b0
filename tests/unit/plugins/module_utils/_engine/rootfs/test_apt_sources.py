# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a host's package sources, and taking from them what a build needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import apt_sources

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
# in between
Components: main contrib
signed-by: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.example/apt
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb http://mirror.example/debian bullseye main
deb http://mirror.example/debian bookworm main non-free  # comment
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/v.gpg trusted=yes] https://vendor.example/apt ./
deb cdrom:[Debian]/ bookworm main
rubbish
"""

HOST = apt_sources.parse_deb822(DEB822)


def test_deb822_keeps_enabled_binary_sources_and_keys_written_into_them():
    debian, vendor = HOST
    assert debian == {
        "Types": "deb",
        "URIs": "http://mirror.example/debian",
        "Suites": "bookworm bookworm-updates",
        "Components": "main contrib",
        "Signed-By": "/usr/share/keyrings/debian-archive-keyring.gpg",
    }
    assert vendor["Signed-By"].endswith("-----END PGP PUBLIC KEY BLOCK-----")
    assert apt_sources.keyrings(HOST) == ["/usr/share/keyrings/debian-archive-keyring.gpg"]


def test_what_is_written_reads_back_as_the_same():
    assert apt_sources.parse_deb822(apt_sources.render(HOST)) == HOST


def test_one_line_sources_keep_their_options():
    debian, vendor, *_unused = apt_sources.parse_one_line(ONE_LINE)
    assert debian == {
        "Types": "deb",
        "URIs": "http://mirror.example/debian",
        "Suites": "bookworm",
        "Components": "main non-free",
    }
    assert vendor == {
        "Types": "deb",
        "URIs": "https://vendor.example/apt",
        "Suites": "./",
        "Architectures": "amd64 arm64",
        "Signed-By": "/etc/apt/keyrings/v.gpg",
        "Trusted": "yes",
    }


def test_all_files_of_a_host_are_read_in_order(tmp_path: Path):
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (parts / "b.sources").write_text(DEB822)
    (parts / "a.list").write_text("deb http://a.example/ bookworm main\n")
    (parts / "c.list.disabled").write_text("deb http://c.example/ bookworm main\n")
    uris = [stanza["URIs"] for stanza in apt_sources.host_stanzas(str(tmp_path))]
    assert uris == [
        "http://mirror.example/debian",
        "https://vendor.example/apt",
        "http://a.example/",
        "http://mirror.example/debian",
        "http://vendor.example/apt",
    ]


def test_a_host_without_apt_has_no_sources(tmp_path: Path):
    assert apt_sources.host_stanzas(str(tmp_path / "nowhere")) == []


def select(**options):
    given = {"host_suite": "bookworm", "suite": "bookworm", "mirror": None, "keyring": None, **options}
    return apt_sources.select(HOST, **given)


def test_the_hosts_own_release_takes_the_hosts_sources_as_they_are():
    assert select() == HOST


def test_another_release_takes_the_sources_that_carry_the_releases_name():
    (stanza,) = select(suite="trixie")
    assert stanza["Suites"] == "trixie trixie-updates"


def test_a_mirror_stands_alone_and_has_the_components_of_the_host():
    (stanza,) = select(mirror="http://other.example/debian", keyring="/k.gpg")
    assert stanza == {
        "Types": "deb",
        "URIs": "http://other.example/debian",
        "Suites": "bookworm",
        "Components": "main contrib",
        "Signed-By": "/k.gpg",
    }


def test_no_source_is_an_error_that_names_the_release():
    with pytest.raises(EngineError, match="no package source for trixie") as caught:
        apt_sources.select([HOST[1]], host_suite="bookworm", suite="trixie", mirror=None, keyring=None)
    assert caught.value.path == "source.packages.suite"
