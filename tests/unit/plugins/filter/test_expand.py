# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hosting.jails.plugins.filter.expand import expand
from ansible_collections.hosting.jails.plugins.module_utils._model.fleet import parse_fleet
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ("web[1:3]", "web1 web2 web3"),
        ("web1", "web1"),
        (["web[01:02]", "db[a:b]", "mail"], "web01 web02 dba dbb mail"),
        ([], ""),
    ],
)
def test_names_are_written_out(entries, names):
    assert expand(entries) == names.split()


def test_documents_are_written_out_and_what_is_no_range_is_kept():
    document = {
        "name": "web[1:2]",
        "hostname": "w[1:2].example.org",
        "command": ["grep", "[1:2]"],
        "limits": {"pids": 9},
    }
    assert expand([document, "x"]) == [
        {**document, "name": "web1", "hostname": "w1.example.org"},
        {**document, "name": "web2", "hostname": "w2.example.org"},
        "x",
    ]
    assert expand(document) == expand([document])


@given(st.integers(1, 30), st.sampled_from(["stopped", "started"]))
def test_a_fleet_of_what_is_written_out_is_the_same_fleet(count, state):
    entry = {
        "name": f"web[1:{count}]",
        "state": state,
        "ip": {"mode": "vnet", "addresses": [f"10.30.0.[1:{count}]"]},
        "labels": {"number": f"[1:{count}]"},
    }
    short, errors = parse_fleet([entry], None, fleet="acme")
    long, more_errors = parse_fleet(expand([entry]), None, fleet="acme")
    assert (errors, more_errors) == ([], [])
    assert [(member.state, member.document) for member in long] == [(member.state, member.document) for member in short]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (["a", "web[1-3]", "web[3:1]"], "[2]: the range [3:1] runs backwards; write the lower end first"),
        ([{"name": "web[1-3]"}], "[0].name: 'web[1-3]' holds no range; write it as in web[1:50]"),
        (
            [{"name": "web[1:3]", "hostname": "x[1:2]"}],
            "[0].hostname: 'x[1:2]' stands for 2 values, and the name for 3",
        ),
        ([3], "[0]: 3 is neither a jail nor the name of one"),
        (None, "nothing is neither a jail nor the name of one"),
    ],
)
def test_what_is_no_range_is_refused(entries, complaint):
    with pytest.raises(AnsibleFilterError) as caught:
        expand(entries)
    assert str(caught.value).startswith(f"hosting.jails.expand: {complaint}")
