# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import jsonschema
import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.document import merge, normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.documentation import options_documentation
from ansible_collections.hosting.jails.plugins.module_utils._model.options import (
    DOCUMENT,
    PARTS,
    argument_spec,
    json_schema,
    options_of,
)
from ansible_collections.hosting.jails.plugins.module_utils._model.options import given as given_by
from ansible_collections.hosting.jails.tests.unit.plugins.module_utils._model.strategies import (
    JAIL,
    documents,
    raw_documents,
)
from hypothesis import given

SCHEMA = jsonschema.Draft202012Validator(json_schema())


def empty_task(part):
    """The parameters of a task that says nothing."""
    return dict.fromkeys(argument_spec(part))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_schema_refers_to_nothing_outside_and_defines_nothing_in_vain():
    text = str(json_schema())
    for name in json_schema()["$defs"]:
        assert f"'#/$defs/{name}'" in text
    assert text.count("$ref") == text.count("#/$defs/")


@given(documents())
def test_every_document_that_we_store_satisfies_the_schema(document):
    assert list(SCHEMA.iter_errors(document)) == []


@given(raw_documents())
def test_every_document_that_says_something_satisfies_the_schema_as_written(raw):
    said = {name: value for name, value in raw.items() if value not in ("", [], {})}
    assert list(SCHEMA.iter_errors({"name": JAIL, **said})) == []


@pytest.mark.parametrize(
    "raw",
    [{}, {"name": "a.b"}, {"name": "a\n"}, {"name": "a", "x": 1}, {"name": "a", "ip": {"mode": "vnat"}}, [], "a"],
)
def test_the_schema_refuses_what_is_no_document(raw):
    assert list(SCHEMA.iter_errors(raw))


@pytest.mark.parametrize("part", PARTS)
def test_no_option_of_an_argument_spec_has_a_default(part):
    def walk(spec):
        for option in spec.values():
            assert "default" not in option
            walk(option.get("options", {}))

    walk(argument_spec(part))


def test_all_parts_together_are_the_document():
    sections = [part for part in PARTS if part != "jail"]
    assert [option.name for option in options_of("jail")] + sections == DOCUMENT.names


def test_every_option_is_described_in_full_sentences():
    def walk(documented):
        for name, entry in documented.items():
            for line in entry["description"]:
                assert line.endswith((".", ".)")), f"{name}: {line}"
                assert line[0].isupper(), f"{name}: {line}"
            walk(entry.get("suboptions", {}))

    for part in PARTS:
        walk(options_documentation(part))


@pytest.mark.parametrize("part", PARTS)
def test_a_task_that_says_nothing_gives_nothing(part):
    assert given_by(part, empty_task(part)) == {}


def test_a_task_gives_what_it_says_in_its_section():
    parameters = {**empty_task("ip"), "mtu": 1400, "addresses": [], "jail": "web1", "state": "present"}
    assert given_by("ip", parameters) == {"ip": {"mtu": 1400, "addresses": []}}


def test_suboptions_that_were_not_said_do_not_reach_the_document():
    filled = dict.fromkeys(argument_spec("jail")["limits"]["options"])
    said = given_by("jail", {**empty_task("jail"), "name": JAIL, "limits": {**filled, "pids": 9}})
    assert normalise(merge(None, said), jail=JAIL) == {"name": JAIL, "limits": {"pids": 9}}


def test_a_section_whose_suboptions_are_all_unsaid_is_cleared():
    filled = dict.fromkeys(argument_spec("jail")["limits"]["options"])
    said = given_by("jail", {**empty_task("jail"), "name": JAIL, "limits": filled})
    assert normalise(merge({"limits": {"pids": 9}}, said), jail=JAIL) == {"name": JAIL}


def test_the_derived_forms_are_fresh_each_time():
    first = copy.deepcopy(argument_spec("ip"))
    argument_spec("ip")["mode"]["choices"].append("x")
    json_schema()["$defs"].clear()
    assert argument_spec("ip") == first
    assert json_schema()["$defs"]
