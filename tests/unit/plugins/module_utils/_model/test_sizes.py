# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.sizes import format_size, parse_size
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1", 1), (4096, 4096), ("1K", 1024), ("256M", 1 << 28), ("2g", 2 << 30), ("1T", 1 << 40)],
)
def test_suffixes_are_powers_of_1024(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "junk", ["", "x", "1.5G", "-1", "1MB", "1 M", "M", "1\n", True, None, -1, 1 << 63, "9" * 19 + "T", "٣"]
)
def test_what_is_not_a_size_is_refused_with_a_remedy(junk):
    with pytest.raises(DocumentError, match="write a whole number with an optional suffix K, M, G or T"):
        parse_size(junk)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (1000, "1000"), (1024, "1K"), (1536, "1536"), (1 << 28, "256M"), (1536 << 10, "1536K")]
)
def test_the_shortest_exact_text_is_written(size, text):
    assert format_size(size) == text


@given(st.integers(0, (1 << 63) - 1))
def test_a_size_survives_being_written_and_read(size):
    assert parse_size(format_size(size)) == size
