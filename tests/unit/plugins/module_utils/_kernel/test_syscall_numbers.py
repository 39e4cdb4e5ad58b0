# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.hosting.jails.plugins.module_utils._kernel import libc
from ansible_collections.hosting.jails.plugins.module_utils._kernel.syscall_numbers import numbers

GENERATOR = Path(__file__).resolve().parents[4] / "generate_syscall_numbers.py"
ARCHITECTURES = ("x86_64", "aarch64")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_syscall_numbers", GENERATOR)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_table_agrees_with_the_kernel_headers(generator: ModuleType, architecture: str) -> None:
    if not generator.HEADERS[architecture].is_file():
        pytest.skip(f"no {generator.HEADERS[architecture]}: linux-libc-dev is not installed")
    header = generator.read_header(architecture)
    assert len(header) > 290
    table = numbers(architecture)
    assert {name: table.get(name) for name in header} == header


def test_the_file_is_what_the_generator_writes(generator: ModuleType) -> None:
    tables = {architecture: numbers(architecture) for architecture in ARCHITECTURES}
    assert generator.TABLE.read_text(encoding="ascii") == generator.render(tables)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_number_has_two_names(architecture: str) -> None:
    table = numbers(architecture)
    assert len(set(table.values())) == len(table)


def test_calls_since_linux_5_1_have_one_number_everywhere() -> None:
    x86_64, aarch64 = (numbers(architecture) for architecture in ARCHITECTURES)
    assert {name: number for name, number in x86_64.items() if number >= 424} == {
        name: number for name, number in aarch64.items() if number >= 424
    }


def test_an_unknown_architecture_has_no_table() -> None:
    with pytest.raises(KeyError):
        numbers("vax")


def test_the_few_numbers_that_the_engine_calls_by_are_those_of_the_table() -> None:
    table = numbers("x86_64")
    named = {name.lower(): value for name, value in vars(libc).items() if name.isupper() and isinstance(value, int)}
    assert {name: table[name] for name in named} == named
