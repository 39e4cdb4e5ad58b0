# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
"""All attacks. Each file has put its own into ATTACKS when it was imported."""

from __future__ import annotations

from . import devices, files, ipc, kernel, knobs, limits, mounts, network, processes
from .attack import CATALOGUE

KINDS = tuple(
    module.__name__.rpartition(".")[2]
    for module in (processes, files, mounts, knobs, devices, kernel, ipc, limits, network)
)
ATTACKS = dict(sorted(CATALOGUE.items(), key=lambda item: (KINDS.index(item[1].kind), item[0])))
