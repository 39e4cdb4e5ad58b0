# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

from typing import Any

from .host_paths import PATH
from .place import Place, shown
from .scalars import Choice, Scalar
from .shapes import REBUILD, ListOf, Option, Record
from .values import CHECKSUM, MIRROR, NAME, PACKAGE, SUITE


def _parse_true(value: Any, place: Place) -> bool:
    if value is not True:
        raise place.error(f"{shown(value)} is not true", "write true, or leave it out")
    return True


ARCHIVE = Record(
    Option("path", PATH, "Absolute path of a tar archive on the host, compressed or not.", required=True),
    Option("checksum", CHECKSUM, "V(sha256:) or V(sha512:) and the digest that the archive must have."),
)

PACKAGES = Record(
    Option("include", ListOf(PACKAGE), "Packages to install on top of the variant."),
    Option("suite", SUITE, "Release to install, for example V(bookworm). The default is the host's."),
    Option("mirror", MIRROR, "Address of the package mirror. The default is the host's own package sources."),
    Option(
        "variant",
        Choice("essential", "apt", "minbase", "important", "standard"),
        "How much is installed besides O(source.packages.include), from the least to the most.",
        default="minbase",
    ),
    Option(
        "keyring",
        PATH,
        "Absolute path of the keys that sign the mirror. The default is the host's.",
        only_sounds_secret=True,
    ),
)

SOURCE = Record(
    Option("template", NAME, "Name of a template; the jail gets a copy-on-write clone of it."),
    Option("archive", ARCHIVE, "A tar archive on the host."),
    Option("packages", PACKAGES, "Packages of a distribution; C({}) is a minimal system.", may_be_empty=True),
    Option("empty", Scalar(_parse_true, {"const": True}, ansible="bool"), "Nothing, for a jail that is all mounts."),
    one_of=True,
    later=("host", "oci", "system"),
)

ROOTFS = Record(
    Option("source", SOURCE, "What the root file system is made from, exactly one of these.", effect=REBUILD),
    later=("size", "inodes"),
)
