# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at many jails of which some are damaged."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine import places, report, store
from ansible_collections.hosting.jails.plugins.module_utils._model.arguments import GATHER

pytestmark = pytest.mark.usefixtures("private_state")


def test_a_damaged_document_hides_no_other_jail() -> None:
    contents = {
        "a": '{"name": "a"}',
        "b": '{"name": "b", "nonsense": 1}',
        "c": "{",
        "d": '{"name": "d", "labels": {"x": "y"}}',
    }
    for name, content in contents.items():
        Path(places.document(name)).write_text(content)
    rows = {row["name"]: row for row in report.describe_all(store.names())}
    assert sorted(rows) == ["a", "b", "c", "d"]
    assert "nonsense" in rows["b"]["message"]
    assert "is not valid JSON" in rows["c"]["message"]
    assert (rows["a"]["message"], rows["d"]["labels"]) == ("", {"x": "y"})


def test_five_hundred_jails_are_looked_at_in_linear_time() -> None:
    """Each twice as many take about twice as long: nothing is read anew for each jail that all of them share."""
    taken = []
    for count in (125, 500):
        numbers = {f"web{number}": {"index": number + 1} for number in range(count)}
        Path(places.ALLOCATIONS).write_text(json.dumps(numbers))
        for name in numbers:
            Path(places.document(name)).write_text(json.dumps({"name": name, "labels": {"fleet": "shop"}}))
        started = time.process_time()
        assert len(report.describe_all(store.names(), ("status", "resources", "document"))) == count
        taken.append(time.process_time() - started)
    assert taken[1] < 8 * taken[0] + 0.1
    started = time.process_time()
    assert report.describe_all(store.names(), GATHER, {"fleet": "another"}) == []
    assert time.process_time() - started < taken[1] + 0.2
