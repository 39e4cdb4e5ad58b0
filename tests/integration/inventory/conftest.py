# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A template and a prefix of this suite's own: others may run at the same time."""

from __future__ import annotations

from ansible_collections.hosting.jails.tests.integration import jails

PREFIX = "inv-"


template, nothing_left = jails.fixtures(PREFIX)
