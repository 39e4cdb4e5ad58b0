# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Named tuples without typing are what they would be with it."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path

import pytest
from ansible_collections.hosting.jails.plugins.module_utils import _kernel
from ansible_collections.hosting.jails.plugins.module_utils._kernel import light_typing


class Light(light_typing.NamedTuple):
    """A word."""

    name: str
    number: int = 7
    rest: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return self.number * 2

    @classmethod
    def of(cls, text: str) -> Light:
        return cls(text, number=len(text))


class Heavy(typing.NamedTuple):
    """A word."""

    name: str
    number: int = 7
    rest: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        return self.number * 2

    @classmethod
    def of(cls, text: str) -> Heavy:
        return cls(text, number=len(text))


def test_they_are_equal_and_do_the_same() -> None:
    for light, heavy in ((Light("a"), Heavy("a")), (Light.of("abc"), Heavy.of("abc")), (Light("a", 1, (2,)),) * 2):
        assert tuple(light) == tuple(heavy)
        assert light.twice == heavy.twice
        assert light._asdict() == heavy._asdict()
        assert repr(light._replace(number=3))[5:] == repr(heavy._replace(number=3))[5:]
    assert isinstance(Light("a"), tuple)
    assert (Light._fields, Light._field_defaults) == (Heavy._fields, Heavy._field_defaults)
    assert (Light.__name__, Light.__module__, Light.__doc__) == ("Light", __name__, Heavy.__doc__)


def test_a_field_that_is_missing_is_an_error() -> None:
    with pytest.raises(TypeError, match="name"):
        Light()  # type: ignore[call-arg]


def test_the_way_into_a_jail_does_without_typing() -> None:
    root = Path(_kernel.__path__[0]).parents[1]
    script = (
        f"import sys; sys.path.insert(0, {str(root)!r}); import module_utils._engine.cli.enter;"
        "print(sorted({'typing', 'dataclasses', 'socket', 'module_utils._model.document'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-ISc", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
