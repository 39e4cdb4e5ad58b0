# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No property is refuted by a machine that is busy with something else."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples each time, as Hypothesis has it by itself there: chance is for those who look for faults.
settings.register_profile("unhurried", deadline=None, derandomize="CI" in os.environ)
# ansible-test has the turn of the oldest Python. A property that holds holds there as well, if it can be tried at all.
settings.register_profile("once more", deadline=None, max_examples=10, derandomize=True)
settings.load_profile("once more" if "ANSIBLE_CONTROLLER_MIN_PYTHON_VERSION" in os.environ else "unhurried")
