# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..._kernel import files
from ..errors import EngineError

# One deb822 paragraph of sources.list(5): field name as written there -> value, continuation lines kept.
Stanza = dict[str, str]

_ONE_LINE = re.compile(
    r"(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)
_OPTION_FIELDS = {"arch": "Architectures", "lang": "Languages", "target": "Targets", "pdiffs": "PDiffs"}
_NO = ("no", "false", "without", "off", "disable")


def host_stanzas(directory: str = "/etc/apt") -> list[Stanza]:
    """The binary package sources that are enabled on this host, in apt's order.

    Both formats of sources.list(5); media that a build could not ask for are left out.
    """
    parts = f"{directory}/sources.list.d"
    names = sorted(os.listdir(parts)) if os.path.isdir(parts) else []
    stanzas = parse_one_line(files.read_text(f"{directory}/sources.list") or "")
    for name in names:
        parse = {".list": parse_one_line, ".sources": parse_deb822}.get(os.path.splitext(name)[1])
        if parse:
            stanzas += parse(files.read_text(f"{parts}/{name}") or "")
    return [stanza for stanza in stanzas if not stanza["URIs"].startswith("cdrom:")]


def parse_one_line(text: str) -> list[Stanza]:
    """``deb [signed-by=/key.gpg] http://mirror/debian bookworm main`` lines."""
    stanzas = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match and match["type"] == "deb":
            stanza = {"Types": "deb", "URIs": match["uri"], "Suites": match["suite"]}
            if match["rest"].strip():
                stanza["Components"] = " ".join(match["rest"].split())
            stanzas.append({**stanza, **_options(match["options"] or "")})
    return stanzas


def _options(text: str) -> Stanza:
    pairs = (option.partition("=") for option in text.split())
    return {
        _OPTION_FIELDS.get(name.lower(), name.title()): value.replace(",", " ")
        for name, separator, value in pairs
        if separator
    }


def parse_deb822(text: str) -> list[Stanza]:
    """Paragraphs of ``Field: value``; source packages and disabled paragraphs are left out."""
    stanzas = []
    for paragraph in re.split(r"\n[ \t]*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        stanza = _fields(paragraph)
        if "deb" not in stanza.get("Types", "").split() or stanza.pop("Enabled", "yes").lower() in _NO:
            continue
        if "URIs" in stanza and "Suites" in stanza:
            stanzas.append({**stanza, "Types": "deb"})
    return stanzas


_FIELD_NAMES = {name.lower(): name for name in ("Types", "URIs", "Suites", "Components", "Enabled", "Signed-By")}


def _fields(paragraph: str) -> Stanza:
    fields: Stanza = {}
    last = ""
    for line in paragraph.splitlines():
        if line[:1] in (" ", "\t") and last:
            fields[last] += f"\n{line}"
            continue
        name, separator, value = line.partition(":")
        if separator:
            last = _FIELD_NAMES.get(name.strip().lower(), name.strip())
            fields[last] = value.strip()
    return fields


def render(stanzas: Iterable[Stanza]) -> str:
    """A deb822 file."""
    return "\n".join("".join(f"{name}: {value}\n" for name, value in stanza.items()) for stanza in stanzas)


def select(
    stanzas: list[Stanza], *, host_suite: str, suite: str, mirror: str | None, keyring: str | None
) -> list[Stanza]:
    """The sources for a build of ``suite``.

    From the host's: the same with its release's name replaced, where that differs; sources that do not carry the
    release's name (a vendor's repository for this release alone) then stay behind. With ``mirror``: that one alone.
    Raises EngineError where nothing is left.
    """
    if mirror:
        chosen = [{"Types": "deb", "URIs": mirror, "Suites": suite, "Components": _components(stanzas, host_suite)}]
    elif suite == host_suite:
        chosen = stanzas
    else:
        chosen = [other for stanza in stanzas if (other := _of_suite(stanza, host_suite, suite))]
    if not chosen:
        raise EngineError(
            "",
            f"this host has no package source for {suite or 'its own release'}",
            path="source.packages.suite",
            remedy="name a mirror (source.packages.mirror) and a suite",
        )
    return [{**stanza, "Signed-By": keyring} for stanza in chosen] if keyring else chosen


def _components(stanzas: list[Stanza], host_suite: str) -> str:
    own = (stanza for stanza in stanzas if host_suite in stanza["Suites"].split())
    return next((stanza["Components"] for stanza in own if "Components" in stanza), "main")


def _of_suite(stanza: Stanza, host_suite: str, suite: str) -> Stanza | None:
    """``bookworm bookworm-updates`` -> ``trixie trixie-updates``."""
    suites = [
        suite + name[len(host_suite) :]
        for name in stanza["Suites"].split()
        if name == host_suite or name.startswith((f"{host_suite}-", f"{host_suite}/"))
    ]
    return {**stanza, "Suites": " ".join(suites)} if suites else None


def keyrings(stanzas: Iterable[Stanza]) -> list[str]:
    """Absolute paths of the key files that sources name; keys written into the sources themselves are no files."""
    named = (word for stanza in stanzas for word in stanza.get("Signed-By", "").split())
    return sorted({word for word in named if word.startswith("/")})
