# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.hosting.jails.plugins.module_utils._model.document import normalise
from ansible_collections.hosting.jails.plugins.module_utils._model.learned import section_for, to_yaml
from ansible_collections.hosting.jails.plugins.module_utils._model.profiles import Privileges, privileges_of
from hypothesis import given, settings
from hypothesis import strategies as st

from .strategies import documents


def jail(**caps: Any) -> dict[str, Any]:
    return {"name": "web1", "caps": caps}


def of(document: dict[str, Any], section: dict[str, Any]) -> Privileges:
    return privileges_of(normalise({**document, "caps": section}, jail=document["name"]))


@settings(max_examples=40)
@given(documents(), st.data())
def test_a_section_gives_what_was_used_and_nothing_else_of_what_the_jail_has(
    document: Any, data: st.DataObject
) -> None:
    now = privileges_of(document)
    names = st.sampled_from(sorted(now.capabilities)) if now.capabilities else st.nothing()
    used = data.draw(st.frozensets(names))
    learned = of(document, section_for(document, used))
    assert learned.capabilities == used
    assert learned.refused >= now.refused
    assert learned.allowed <= now.allowed
    assert (learned.seccomp, learned.securebits) == (now.seccomp, now.securebits)
    assert learned.no_new_privileges == now.no_new_privileges


def test_what_goes_without_saying_is_not_said() -> None:
    assert section_for(jail(), {"SETUID", "SETGID"}) == {"profile": "none", "keep": ["SETGID", "SETUID"]}
    assert section_for(jail(profile="vps"), {"KILL"}, no_new_privileges=True) == {"profile": "none", "keep": ["KILL"]}


def test_a_jail_that_boots_keeps_its_profile_without_what_it_did_not_use() -> None:
    document = {"name": "web1", "init": "system", "caps": {}}
    everything = privileges_of(document).capabilities
    section = section_for(document, everything - {"NET_RAW", "SYS_PTRACE"})
    assert section == {"profile": "vps", "drop": ["NET_RAW", "SYS_PTRACE"]}


def test_permissions_stay_as_narrow_as_they_are() -> None:
    """A host name needs SYS_ADMIN, which is worth the whole of it when it is kept by name."""
    document = jail(profile="freebsd")
    named = section_for(document, {"SETUID", "SYS_ADMIN"})
    assert named["keep"] == ["SETUID"]
    assert named["allow"] == {"set_hostname": True, "sysvmsg": False, "sysvsem": False, "sysvshm": False}
    assert of(document, named).confined == {"SYS_ADMIN"}
    assert "set_hostname" not in section_for(document, {"SETUID"})["allow"]


def test_what_a_filter_of_ours_would_confine_is_not_learned_without_one() -> None:
    section = section_for(jail(profile="freebsd", seccomp="none"), {"CHOWN", "SYS_ADMIN"})
    assert section["keep"] == ["CHOWN"]
    assert "set_hostname" not in section["allow"]


def test_the_rest_of_a_section_stays() -> None:
    document = jail(strict=True, seccomp="none", securebits=["no_setuid_fixup"], drop=["KILL"])
    section = section_for(document, {"CHOWN"}, strict=True)
    assert section == {
        "profile": "none",
        "keep": ["CHOWN"],
        "strict": True,
        "seccomp": "none",
        "securebits": ["no_setuid_fixup"],
        "drop": [],
    }
    assert section_for(jail(), set(), strict=True)["seccomp"] == "strict"


@settings(max_examples=40)
@given(documents(), st.booleans())
def test_a_task_that_gives_the_section_leaves_nothing_of_the_one_before(document: Any, strict: bool) -> None:
    section = section_for(document, set(), strict=strict)
    assert set(document.get("caps", {})) <= set(section)


def test_who_administers_a_network_drops_what_that_did_not_take() -> None:
    document = {"name": "web1", "caps": {}, "ip": {"mode": "vnet", "admin": True, "addresses": ["10.0.0.1/32"]}}
    assert section_for(document, {"NET_ADMIN"})["drop"] == ["NET_BROADCAST", "NET_RAW"]


# Beyond these JSON writes a character as two halves.
texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs",)))
scalars = texts | st.booleans() | st.integers() | st.none() | st.sampled_from(["yes", "No", "on", "null", "1.5"])
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@given(st.dictionaries(st.sampled_from(["profile", "keep", "allow", "devices"]), nested))
def test_yaml_reads_back_what_was_written(section: dict[str, Any]) -> None:
    assert (yaml.safe_load(to_yaml(section)) or {}) == section
