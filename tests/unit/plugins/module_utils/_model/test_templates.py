# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans for templates."""

from __future__ import annotations

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._model.errors import DocumentError
from ansible_collections.hosting.jails.plugins.module_utils._model.templates import (
    STATES,
    TemplateLive,
    parse_source,
    plan_template,
    same_source,
)
from hypothesis import given
from hypothesis import strategies as st

NGINX = {"packages": {"include": ["nginx-light"]}}
ARCHIVE = {"archive": {"path": "/srv/a.tar"}}
EMPTY = {"empty": True}
SOURCES = st.sampled_from([NGINX, ARCHIVE, EMPTY, {"packages": {}}])


def lines(state, source, live):
    return [action.line() for action in plan_template("debian", state=state, source=source, live=live)]


@pytest.mark.parametrize("state", ["present", "latest"])
def test_a_template_that_is_not_there_is_built(state):
    assert lines(state, NGINX, TemplateLive()) == ["template.build debian: from packages nginx-light"]


def test_a_template_from_the_same_source_stays():
    assert lines("present", NGINX, TemplateLive(source=NGINX, outdated=["nginx 1 -> 2"])) == []


def test_another_source_is_built_and_both_are_named():
    assert lines("present", ARCHIVE, TemplateLive(source=EMPTY)) == [
        "template.build debian: from archive /srv/a.tar, not from nothing"
    ]


def test_latest_builds_for_newer_packages_and_names_them():
    live = TemplateLive(source=NGINX, outdated=["nginx 1 -> 2", "libc6 3 -> 4"])
    assert lines("latest", None, live) == ["template.build debian: nginx 1 -> 2; libc6 3 -> 4"]
    assert lines("latest", NGINX, TemplateLive(source=NGINX)) == []


@pytest.mark.parametrize(
    ("state", "live", "why"),
    [
        ("latest", TemplateLive(source=NGINX, outdated=["nginx 1 -> 2"], ready="2"), "nginx 1 -> 2"),
        ("present", TemplateLive(source=EMPTY, ready="2"), "from packages nginx-light, not from nothing"),
    ],
)
def test_what_a_build_would_make_again_is_not_built_but_taken(state, live, why):
    assert lines(state, NGINX, live) == [f"template.switch debian: to generation 2, which is there already: {why}"]


def test_a_template_without_jails_is_removed_once():
    assert lines("absent", None, TemplateLive(source=NGINX)) == ["template.remove debian"]
    assert lines("absent", None, TemplateLive()) == []


def test_a_template_in_use_is_not_removed_and_the_jails_are_named():
    with pytest.raises(DocumentError, match="in use by jails web1, web2"):
        lines("absent", None, TemplateLive(source=NGINX, jails=["web2", "web1"]))


def switch(generation, live, state="present"):
    return [a.line() for a in plan_template("debian", state=state, source=None, live=live, generation=generation)]


def test_an_earlier_generation_becomes_the_current_one_once():
    live = TemplateLive(source=NGINX, generation="2", generations=["1", "2"])
    assert switch("1", live) == ["template.switch debian: to generation 1, from 2"]
    assert switch("2", live) == []


@pytest.mark.parametrize(
    ("generation", "state", "live", "said"),
    [
        ("3", "present", TemplateLive(source=NGINX, generation="1", generations=["1"]), "'3'; there are 1"),
        ("1", "present", TemplateLive(), "there is no such template"),
        ("1", "latest", TemplateLive(source=NGINX, generation="1", generations=["1"]), "makes no sense with state lat"),
    ],
)
def test_a_generation_that_cannot_be_is_an_error_with_its_path(generation, state, live, said):
    with pytest.raises(DocumentError, match="^generation: ") as caught:
        switch(generation, live, state)
    assert said in str(caught.value)


@pytest.mark.parametrize(("state", "live"), [("present", TemplateLive(source=NGINX)), ("latest", TemplateLive())])
def test_a_missing_source_is_an_error_with_its_path(state, live):
    with pytest.raises(DocumentError, match="source: is missing"):
        lines(state, None, live)


def test_defaults_that_are_said_and_the_order_of_packages_make_no_difference():
    one = {"packages": {"include": ["a1", "b1"]}}
    other = {"packages": {"include": ["b1", "a1"], "variant": "minbase"}}
    assert same_source(one, other)
    assert not same_source(one, {"packages": {"include": ["a1"]}})
    assert not same_source(None, one)


def test_a_template_cannot_be_a_clone():
    with pytest.raises(DocumentError, match=r"source\.template: .*cannot be a clone"):
        parse_source({"template": "other"}, template="debian")


@pytest.mark.parametrize("raw", [{}, {"packages": {}, "empty": True}, "debian", {"oci": {}}, {"nonsense": 1}])
def test_what_is_no_source_is_refused(raw):
    with pytest.raises(DocumentError, match="source"):
        parse_source(raw, template="debian")


@given(st.sampled_from(STATES), SOURCES, st.none() | SOURCES, st.booleans())
def test_a_plan_carried_out_leaves_nothing_to_plan(state, source, present, outdated):
    live = TemplateLive(source=present, outdated=["something"] if outdated else [])
    actions = plan_template("debian", state=state, source=source, live=live)
    for action in actions:
        live = TemplateLive(source=source) if action.kind == "template.build" else TemplateLive()
    if not actions:
        live = TemplateLive(source=present)
    assert plan_template("debian", state=state, source=source, live=live) == []
