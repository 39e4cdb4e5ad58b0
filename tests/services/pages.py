# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A page of docs/services, and the jail that its play makes."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hosting.jails.plugins.module_utils._engine.errors import EngineError
from ansible_collections.hosting.jails.plugins.module_utils._engine.rootfs import template_task
from ansible_collections.hosting.jails.plugins.module_utils._kernel import namespaces
from ansible_collections.hosting.jails.tests.integration import jails
from ansible_collections.hosting.jails.tests.integration.jails import CHECKOUT, Jail
from ansible_collections.hosting.jails.tests.integration.playbooks.site import Run, Site


class Page:
    """What a page says: one play, and ``others``, blocks of YAML with variables that it may have besides."""

    def __init__(self, name: str) -> None:
        text = (CHECKOUT / "docs" / "services" / f"{name}.md").read_text(encoding="utf-8")
        blocks = [
            yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        ]
        (self.play,) = (play for block in blocks if isinstance(block, list) for play in block)
        self.others = [block for block in blocks if isinstance(block, dict)]

    @property
    def variables(self) -> dict[str, Any]:
        """What the play says to the role ``service``; empty where it does without."""
        roles = self.play.get("roles") or [{"vars": {}}]
        found: dict[str, Any] = roles[0]["vars"]
        return found

    def _said_to(self, module: str) -> dict[str, Any]:
        found: dict[str, Any] = next(task[module] for task in self.play["tasks"] if module in task)
        return found

    @property
    def document(self) -> dict[str, Any]:
        """The jail's, as far as the play says it itself."""
        if self.variables:
            options: dict[str, Any] = self.variables["service_options"]
            return {"name": self.variables["service_name"], **options}
        found: dict[str, Any] = self._said_to("hosting.jails.jail_fleet")["jails"][0]
        return found

    @property
    def name(self) -> str:
        """The jail's."""
        return str(self.document["name"])

    @property
    def template(self) -> str:
        """The template that the jail is a clone of."""
        return f"service-{self.name}" if self.variables else str(self.document["rootfs"]["source"]["template"])

    def build(self, network: int) -> None:
        """Build the template of the play, unless an earlier run did; ``network`` is that of the package mirror."""
        if self.variables:
            source = {"packages": {"include": self.variables["service_packages"]}}
        else:
            source = self._said_to("hosting.jails.jail_rootfs")["source"]
        with namespaces.visiting(network):
            template_task.converge(self.template, state="present", source=source, check=False)

    def run(self, directory: Path, **extra: Any) -> Run:
        """Run the play as its reader would; ``extra`` are its extra variables."""
        book = directory / "page.yml"
        book.write_text(yaml.safe_dump([{**self.play, "gather_facts": False, "become": False}]))
        return Site(directory).run(str(book), **extra)


@contextlib.contextmanager
def serving(page: Page, network: int, **extra: Any) -> Iterator[Jail]:
    """The jail of a page for the length of a block, and the machine as it was before at its end."""
    page.build(network)
    jail = Jail(page.name)
    with tempfile.TemporaryDirectory() as directory, jails.nothing_left(page.name):
        try:
            run = page.run(Path(directory), **extra)
            assert run.status == 0, run.output
            yield jail
        finally:
            jail.remove()


@contextlib.contextmanager
def client_of(page: Page, address: str) -> Iterator[Jail]:
    """A jail of the same template and without any power, to use the service from, for the length of a block."""
    ip = {"mode": "vnet", "addresses": [f"{address}/32"]}
    source = {"source": {"template": page.template}}
    with jails.jail("client", rootfs=source, ip=ip, caps={"profile": "none"}) as jail:
        yield jail


def _as_before(name: str, old: Any, new: Any) -> Any:
    """What brings an option back: a section keeps what a task does not say, so the rest of it is said to be empty."""
    return {**{key: type(value)() for key, value in new.items()}, **old} if name in ("caps", "ip") else old


@contextlib.contextmanager
def changed(jail: Jail, **options: Any) -> Iterator[None]:
    """Restart a jail with other options for the length of a block."""
    document = jail.describe("document")["document"]
    before = {name: _as_before(name, document.get(name, {}), new) for name, new in options.items()}
    try:
        jail.converge(state="started", apply="restart", **options)
        yield
    finally:
        jail.converge(state="started", apply="restart", **before)


def serves_without(jail: Jail, capability: str, exercise: Callable[[], Any]) -> bool:
    """Whether the service still does its work when a capability that its page keeps is taken away."""
    caps = jail.describe("document")["document"]["caps"]
    assert capability in caps["keep"]
    less = {**caps, "keep": [name for name in caps["keep"] if name != capability]}
    try:
        with changed(jail, caps=less):
            exercise()
    except (AssertionError, EngineError, OSError, subprocess.SubprocessError):
        return False
    return True
