# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's attacks and bait: from where the engine is mounted in a jail, or from the checkout on the host."""

from __future__ import annotations

import sys
from pathlib import Path

MOUNTED = Path("/plugins")

sys.path.insert(0, str(MOUNTED if MOUNTED.is_dir() else Path(__file__).resolve().parents[3] / "plugins"))

from module_utils._engine.verify.attack import Attack, Outcome, try_it  # noqa: E402
from module_utils._engine.verify.bait import Bait  # noqa: E402
from module_utils._engine.verify.catalogue import ATTACKS  # noqa: E402

__all__ = ["ATTACKS", "Attack", "Bait", "Outcome", "try_it"]
