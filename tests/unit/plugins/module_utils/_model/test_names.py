# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.names import NAME_SCHEMA, jail_name, template_name

BAD = ["", "a.b", "..", ".", "a/b", "/", "web1\n", "\nweb1", "Web1", "-a", "a-", "a" * 64, "ä", "a b", "a\0", "\u0131"]


@pytest.mark.parametrize("name", ["a", "0", "web1", "a-b", "a--b", "x" * 63, "123"])
def test_a_dns_label_is_a_name(name):
    assert jail_name(name) == name
    assert template_name(name) == name
    assert re.search(NAME_SCHEMA["pattern"], name)


@pytest.mark.parametrize("name", BAD)
def test_nothing_else_is_a_name_for_us_or_for_the_schema(name):
    with pytest.raises(DocumentError):
        jail_name(name)
    assert not re.search(NAME_SCHEMA["pattern"], name)


@pytest.mark.parametrize("name", [None, 1, True, ["a"], {"a": 1}, b"a", 1.5])
def test_only_text_is_a_name(name):
    with pytest.raises(DocumentError, match="is not a name"):
        jail_name(name)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("web.1", "'.' is not allowed in it"),
        ("web1\n", "'\\\\n' is not allowed in it"),
        ("-web", "it starts with '-'"),
        ("web-", "it ends with '-'"),
        ("", "it is empty"),
        ("a" * 64, "it has 64 characters"),
    ],
)
def test_the_message_says_what_is_wrong_and_what_would_be_right(name, fault):
    with pytest.raises(DocumentError, match=f"^name: .* is not a name: {fault}; use 1 to 63 lowercase letters"):
        jail_name(name)
