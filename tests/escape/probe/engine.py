# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the engine importable: from where it is mounted in a jail, or from the checkout on the host."""

from __future__ import annotations

import sys
from pathlib import Path

MOUNTED = Path("/plugins")

sys.path.insert(0, str(MOUNTED if MOUNTED.is_dir() else Path(__file__).resolve().parents[3] / "plugins"))
