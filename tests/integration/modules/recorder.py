# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback plugin that writes the result of each task to the file that JAILS_TEST_RESULTS names."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: notification
short_description: Record the results of tasks
description: One line of JSON for each result.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Records what modules return, before any other callback makes it readable."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"

    def _record(self, result: Any, *, failed: bool) -> None:
        with open(os.environ["JAILS_TEST_RESULTS"], "a", encoding="utf-8") as file:
            row = {"changed": False, **result._result, "failed": failed, "_host": result._host.get_name()}
            file.write(json.dumps(row, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record(result, failed=True)
