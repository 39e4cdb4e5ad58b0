# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._engine.cli.harmless import Harmless
from hypothesis import given
from hypothesis import strategies as st

PIECES = st.lists(
    st.sampled_from(
        [b"\x1b", b"[", b"31", b";", b"m", b"]52;c;", b"\x07", b"\r", b"\n", b"\x9b", "é\u202e".encode(), b"\xc2"]
    )
    | st.binary(max_size=8)
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"plain\tand tabbed\n", b"plain\tand tabbed\n"),
        ("größer\n".encode(), "größer\n".encode()),
        (b"\x1b[1;31mred\x1b[0m\n", b"\x1b[1;31mred\x1b[0m\n"),
        (b"from Windows\r\n", b"from Windows\n"),
        (b"over\rwritten\n", b"over?written\n"),
        (b"\x1b]0;title\x07\x1b[6n\x1b[2J\n", b"?]0;title??[6n?[2J\n"),
        (b"\xc2\x9b6n\n", b"?6n\n"),
        ("turned \u202earound\n".encode(), b"turned ?around\n"),
        (b"no text \xff\n", "no text \ufffd\n".encode()),
    ],
)
def test_a_terminal_gets_text_and_its_colours(said: bytes, shown: bytes) -> None:
    assert Harmless().clean(said) == shown
    bit_by_bit = Harmless()
    assert b"".join(bit_by_bit.clean(bytes([byte])) for byte in said) == shown


@given(PIECES)
def test_a_terminal_gets_nothing_that_it_would_obey_however_it_comes(pieces: list[bytes]) -> None:
    cleaner = Harmless()
    shown = b"".join(map(cleaner.clean, pieces)).decode()
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert all(character.isprintable() or character in "\n\t" or ord(character) > 0x9F for character in plain)
