# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._action_at_host import ActionAtHost


class ActionModule(ActionAtHost):
    """Runs the module of the same name, or what a host has of it."""

    MODULE = "jail"
