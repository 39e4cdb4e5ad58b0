# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the fleet: what jails say of themselves is text on it, and nothing more."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hosting.jails.plugins.filter.escaped_page import content_hash, escaped_page
from ansible_collections.hosting.jails.plugins.plugin_utils._report import report
from hypothesis import given
from hypothesis import strategies as st

FILES = Path(__file__).resolve().parents[4] / "playbooks" / "files"
TEMPLATE = (FILES / "status.html.j2").read_text(encoding="utf-8")
STYLE = (FILES / "status.css").read_text(encoding="utf-8").rstrip()
SCRIPT = (FILES / "status.js").read_text(encoding="utf-8").rstrip()

HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title><svg onload=alert(1)>",
        "</script><script>alert(1)//",
        "{{ 7 * 7 }}{% raw %}",
        "javascript:alert(1)",
        "\x00<b>\u202e",
    ]
)


def page(*hosts):
    variables = {
        "title": "Jails",
        "time": "now",
        "seconds": 2,
        "warn_percent": 90.0,
        "report": report(hosts),
        "style": STYLE,
        "script": SCRIPT,
    }
    return escaped_page(variables, TEMPLATE)


class Elements(HTMLParser):
    """Counts elements and attributes, and gathers what stands outside of scripts and styles."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words, self.inside = [], set(), [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _unused in attrs)
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)


def hostile_host(word):
    jail = {"name": word, "state": word, "hostname": word, "labels": {word: word}, "addresses": [word], "message": word}
    jail |= {"template": word, "profile": word, "disk": {"template": word, "stale": True}, "autostart": True}
    jail |= {"ended": {"how": "powered_off", "at": word, "message": word}}
    template = {"name": word, "created": word, "jails": [], "generations": [1, 2], "state": "damaged", "message": word}
    facts = {"distribution": word, "kernel": word}
    return {"name": word, "answer": {"jails": [jail], "templates": [template]}, "facts": facts, "drained": True}


@given(HOSTILE)
def test_nothing_that_a_jail_or_host_says_becomes_markup(word):
    hostile, harmless = Elements(page(hostile_host(word))), Elements(page(hostile_host("harmless")))
    assert sorted(hostile.tags) == sorted(harmless.tags)
    assert hostile.attributes == harmless.attributes
    assert not [name for name in hostile.attributes if name.startswith("on") or name in ("src", "href", "style")]


def test_what_is_hostile_is_shown_as_it_is():
    words = Elements(page(hostile_host("<script>alert(1)</script>"))).words
    assert "<script>alert(1)</script>" in words
    assert "powered off from inside, <script>alert(1)</script>" in words


def test_the_page_loads_nothing_and_runs_its_own_script_only():
    source = page(hostile_host("web1"))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', source)
    assert "default-src &#39;none&#39;" in policy or "default-src 'none'" in policy
    assert f"script-src '{content_hash(SCRIPT)}'" in policy
    assert f"style-src '{content_hash(STYLE)}'" in policy
    assert f"<script>{SCRIPT}</script>" in source
    assert f"<style>{STYLE}</style>" in source
    assert not re.findall(r"(?:https?:)?//(?!w3\.org)[a-z]", source.replace(SCRIPT, ""))


def test_without_its_script_the_page_has_every_row():
    words = " ".join(Elements(page({"name": "node1", "answer": {"jails": [{"name": "web1"}]}})).words)
    assert "web1" in words
    assert "node1" in words


def test_a_fleet_of_nothing_has_a_page():
    assert "No host has told of a jail." in page()
    assert "All hosts answer" in page()


@pytest.mark.parametrize(("variables", "template"), [([], "x"), ({}, "{{ missing }}"), ({}, "{% if %}")])
def test_what_cannot_be_rendered_is_an_error(variables, template):
    with pytest.raises(AnsibleFilterError, match=r"hosting\.jails\.escaped_page"):
        escaped_page(variables, template)


def test_values_are_escaped_and_the_template_is_not():
    assert escaped_page({"name": "<&\"'>"}, "<p>{{ name }}</p>") == "<p>&lt;&amp;&#34;&#39;&gt;</p>"
