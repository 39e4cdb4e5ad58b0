# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.place import Place
from ansible_collections.hosting.jails.plugins.module_utils._model.ranges import expand_document, expand_text
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import junk, words
from hypothesis import given
from hypothesis import strategies as st

HERE = Place("", "jails[3]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("web[1:3]", "web1 web2 web3"),
        ("web[08:11]", "web08 web09 web10 web11"),
        ("web[1:7:3]", "web1 web4 web7"),
        ("web[1:6:3]", "web1 web4"),
        ("[a:d]", "a b c d"),
        ("[X:Z].example.org", "X.example.org Y.example.org Z.example.org"),
        ("web[5:5]", "web5"),
        ("web[0:1]", "web0 web1"),
        ("web[9:11]", "web9 web10 web11"),
        ("10.20.[1:2].[11:12]/32", "10.20.1.11/32 10.20.2.12/32"),
        ("web1", "web1"),
        ("", ""),
        ("http://[::1]:80", "http://[::1]:80"),
        ("[1-3]", "[1-3]"),
    ],
)
def test_a_text_stands_for_these(text, words):
    assert expand_text(text, HERE) == (words.split() or [""])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("web[3:1]", r"the range \[3:1\] runs backwards; write the lower end first"),
        ("web[1:5:0]", r"the range \[1:5:0\] never ends; use a step of at least 1"),
        ("web[01:100]", r"the range \[01:100\] has ends of different widths; write as many digits in both"),
        ("web[1:050]", r"the range \[1:050\] has ends of different widths"),
        ("web[1:f]", r"the range \[1:f\] has ends of different kinds; write it as in web\[1:50\]"),
        ("web[a:F]", r"the range \[a:F\] has ends of different kinds"),
        ("web[1:10001]", r"the range \[1:10001\] holds 10001 elements; write ranges of at most 10000"),
        ("web[1:9999999999999999999]", r"the range \[1:9999999999999999999\] holds 9999999999999999999 elements"),
        ("[1:2]-[1:3]", r"'\[1:3\]' stands for 3 values, and the range before it for 2; use ranges of the same length"),
    ],
)
def test_a_range_that_is_none_is_refused(text, complaint):
    with pytest.raises(DocumentError, match=rf"^jails\[3\]: {complaint}"):
        expand_text(text, HERE)


def test_an_entry_without_a_range_in_its_name_is_taken_as_it_is():
    entry = {"name": "web1", "environment": {"PORTS": "[1:50]"}, "hostname": "a[1:2]"}
    assert expand_document(entry, HERE) == [entry]


def test_everything_that_may_hold_a_range_counts_with_the_name():
    entry = {
        "name": "web[09:10]",
        "hostname": "w[9:10].example.org",
        "workdir": "/srv/[09:10]",
        "environment": {"NUMBER": "[1:2]", "LIST": "plain"},
        "mounts": [{"source": "/srv/web[09:10]", "target": "/srv/[1:9]"}, {"type": "tmpfs", "target": "/tmp"}],
        "depends": ["db[1:2]", "dns"],
        "labels": {"shard": "s[a:b]"},
        "ip": {
            "addresses": ["10.20.0.[11:12]/32", "fd00:20::[11:12]/128"],
            "mac": "02:00:00:00:00:[11:12]",
            "forwards": [{"port": "[8001:8002]", "to": 80}],
        },
        "command": ["grep", "[1:2]"],
        "hooks": [{"command": ["/bin/grep", "[1:9]"]}],
        "limits": {"pids": 9},
    }
    unchanged = copy.deepcopy(entry)
    first, second = expand_document(entry, HERE)
    assert entry == unchanged
    assert first == {
        **entry,
        "name": "web09",
        "hostname": "w9.example.org",
        "workdir": "/srv/09",
        "environment": {"NUMBER": "1", "LIST": "plain"},
        "mounts": [{"source": "/srv/web09", "target": "/srv/[1:9]"}, {"type": "tmpfs", "target": "/tmp"}],
        "depends": ["db1", "dns"],
        "labels": {"shard": "sa"},
        "ip": {
            "addresses": ["10.20.0.11/32", "fd00:20::11/128"],
            "mac": "02:00:00:00:00:11",
            "forwards": [{"port": "8001", "to": 80}],
        },
    }
    assert second["name"] == "web10"
    assert second["ip"]["addresses"] == ["10.20.0.12/32", "fd00:20::12/128"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"ip": {"addresses": ["10.20.0.[11:20]/32"]}},
            r"ip\.addresses\[0\]: '10\.20\.0\.\[11:20\]/32' stands for 10 values, and the name for 50;",
        ),
        ({"environment": {"A": "[1:2]"}}, r"environment\.A: '\[1:2\]' stands for 2 values, and the name for 50;"),
        ({"mounts": [{"source": "/[1:51]"}]}, r"mounts\[0\]\.source: '/\[1:51\]' stands for 51 values"),
        ({"labels": {"a": "[2:1]"}}, r"labels\.a: the range \[2:1\] runs backwards"),
        ({"name": "web[1:2]-[a:b]"}, r"name: 'web\[1:2\]-\[a:b\]' holds 2 ranges; write an entry for each value"),
        ({"name": "web[1-50]"}, r"name: 'web\[1-50\]' holds no range; write it as in web\[1:50\], web\[01:50\]"),
    ],
)
def test_what_does_not_count_with_the_name_is_refused(options, complaint):
    with pytest.raises(DocumentError, match=rf"^jails\[3\]\.{complaint}"):
        expand_document({"name": "web[1:50]", **options}, HERE)


@pytest.mark.parametrize(
    "options",
    [
        {"ip": "x[1:2]", "mounts": [3, {"source": 4}], "environment": ["[1:2]"], "depends": {"a": "[1:2]"}},
        {"environment": {1: "[1:2]"}, "ip": {"addresses": "[1:2]", 5: 6}, "labels": None},
    ],
)
def test_what_is_of_the_wrong_shape_is_left_to_the_parser(options):
    assert len(expand_document({"name": "web[1:2]", **options}, HERE)) == 2


@given(junk)
def test_no_junk_breaks_the_expansion(value):
    try:
        expand_document({"name": "web[1:2]", "ip": value, "environment": value, "mounts": value}, HERE)
    except DocumentError as error:
        assert error.path.startswith("jails[3].")


@given(words, st.integers(0, 500), st.integers(0, 50), st.integers(1, 9))
def test_the_elements_of_a_range_are_distinct_in_order_and_each_stands_for_itself(prefix, low, count, step):
    high = low + count * step
    names = expand_text(f"{prefix}[{low}:{high}:{step}]", HERE)
    assert names == [f"{prefix}{number}" for number in range(low, high + 1, step)]
    assert [expand_text(name, HERE) for name in names] == [[name] for name in names]


@given(st.integers(0, 200), st.integers(0, 200))
def test_padded_numbers_are_all_of_one_width_and_sort_as_they_count(low, count):
    names = expand_text(f"[{low:04}:{low + count:04}]", HERE)
    assert {len(name) for name in names} == {4}
    assert names == sorted(names)
