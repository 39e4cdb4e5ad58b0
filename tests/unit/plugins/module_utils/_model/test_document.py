# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import (
    HIDDEN,
    check,
    effective,
    merge,
    normalise,
    redacted,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.options import DOCUMENT
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import (
    JAIL,
    documents,
    junk,
    raw_documents,
)
from hypothesis import given
from hypothesis import strategies as st


def shuffled(value, random):
    """The same value with the keys of every mapping in another order."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(value[name], random) for name in names}
    return [shuffled(element, random) for element in value] if isinstance(value, list) else value


def contains(full, said):
    """Whether everything that was said is still there, whatever else is."""
    if isinstance(said, dict):
        return all(name in full and contains(full[name], value) for name, value in said.items())
    if isinstance(said, list):
        return len(full) == len(said) and all(map(contains, full, said))
    return full == said


@given(raw_documents())
def test_normalising_twice_changes_nothing(raw):
    document = normalise(raw, jail=JAIL)
    assert normalise(document, jail=JAIL) == document
    assert normalise(json.loads(json.dumps(document)), jail=JAIL) == document


@given(raw_documents(), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(raw, random):
    assert json.dumps(normalise(shuffled(raw, random), jail=JAIL)) == json.dumps(normalise(raw, jail=JAIL))


@given(junk)
def test_junk_gives_a_document_error_and_nothing_else(raw):
    try:
        document = normalise(raw, jail=JAIL)
    except DocumentError as error:
        assert str(error).startswith(f"jail {JAIL}: ")
        return
    check(document)
    effective(document)


@given(junk, st.sampled_from(DOCUMENT.names))
def test_junk_in_an_option_is_blamed_on_that_option(value, name):
    try:
        check(normalise({name: value}, jail=JAIL))
    except DocumentError as error:
        assert error.path.startswith(name)


@given(junk)
def test_a_jail_of_any_name_but_a_good_one_is_refused(name):
    with pytest.raises(DocumentError):
        normalise({}, jail=[name])


@given(documents())
def test_filling_in_defaults_twice_changes_nothing(document):
    full = effective(document)
    assert effective(full) == full
    assert effective(normalise(full, jail=JAIL)) == full


@given(documents())
def test_filling_in_defaults_keeps_what_was_said(document):
    assert contains(effective(document), document)


def test_an_empty_document_has_all_defaults():
    full = effective(normalise({}, jail=JAIL))
    assert full["hostname"] == JAIL
    assert (full["init"], full["user"], full["workdir"], full["command"]) == ("auto", "root", "/", [])
    assert full["restart"] == {"policy": "never", "delay": 1, "maximum": 0}
    assert full["stop"] == {"signal": "SIGTERM", "timeout": 10}
    assert full["ip"]["mode"] == "none"
    assert (full["caps"]["profile"], full["caps"]["no_new_privileges"]) == ("service", True)
    assert full["rootfs"] == {}
    assert set(full) == set(DOCUMENT.names)


def test_a_jail_that_boots_a_system_has_the_defaults_of_one():
    full = effective(normalise({"init": "system"}, jail=JAIL))
    assert full["stop"]["signal"] == "SIGRTMIN+3"
    assert (full["caps"]["profile"], full["caps"]["no_new_privileges"]) == ("vps", False)


def test_no_default_is_stored():
    assert normalise({}, jail=JAIL) == {"name": JAIL}


@pytest.mark.parametrize("nothing", ["", [], {}, None])
def test_an_empty_option_is_not_stored(nothing):
    assert normalise({"hostname": nothing, "limits": {"memory": nothing}}, jail=JAIL) == {"name": JAIL}


def test_a_task_replaces_options_as_a_whole():
    stored = {"name": JAIL, "limits": {"memory": "1G", "pids": 5}, "hostname": "a"}
    assert merge(stored, {"limits": {"pids": 6}}) == {"name": JAIL, "limits": {"pids": 6}, "hostname": "a"}


def test_a_task_about_a_section_replaces_each_of_its_options():
    stored = {"name": JAIL, "ip": {"mode": "vnet", "addresses": ["10.0.0.1/32"], "mtu": 1400}}
    merged = merge(stored, {"ip": {"addresses": ["10.0.0.2/32"], "mac": None}})
    assert merged["ip"] == {"mode": "vnet", "addresses": ["10.0.0.2/32"], "mtu": 1400}


@pytest.mark.parametrize("nothing", ["", [], {}])
def test_an_empty_value_clears_what_is_stored(nothing):
    assert merge({"name": JAIL, "labels": {"a": "b"}, "ip": {}}, {"labels": nothing}) == {"name": JAIL, "ip": {}}
    assert merge({"name": JAIL, "ip": {"mode": "host"}}, {"ip": nothing}) == {"name": JAIL}


def test_merging_changes_neither_side():
    stored, given_ = {"ip": {"mode": "host"}}, {"ip": {"mtu": 1400}}
    merge(stored, given_)
    assert (stored, given_) == ({"ip": {"mode": "host"}}, {"ip": {"mtu": 1400}})


def test_values_of_secrets_are_hidden_and_others_are_not():
    environment = {"DB_PASSWORD": "x", "API_KEY": "x", "GITHUB_TOKEN": "x", "PORT": "80", "KEYBOARD": "de"}
    shown = redacted({"name": JAIL, "environment": environment})["environment"]
    assert shown == {
        **dict.fromkeys(("DB_PASSWORD", "API_KEY", "GITHUB_TOKEN"), HIDDEN),
        "PORT": "80",
        "KEYBOARD": "de",
    }
    assert environment["DB_PASSWORD"] == "x"
