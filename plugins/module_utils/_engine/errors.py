# Copyright (c) 2026, the hosting.jails contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is PRIVATE to the collection: do not import it from elsewhere.
from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .._kernel.errors import KernelError
from .._model.errors import DocumentError


class EngineError(Exception):
    """The engine could not do what was asked of it.

    ``path`` is the option's path in the document where one is to blame, ``remedy`` what the operator can do.
    """

    def __init__(self, jail: str, message: str, *, path: str = "", remedy: str = "") -> None:
        super().__init__(jail, message, path, remedy)
        self.jail = jail
        self.message = message
        self.path = path
        self.remedy = remedy

    def __str__(self) -> str:
        where = [f"jail {self.jail}"] if self.jail else []
        if self.path:
            where.append(self.path)
        where.append(self.message)
        text = ": ".join(where)
        return f"{text}; {self.remedy}" if self.remedy else text


class DamagedRecord(EngineError):
    """A file about a jail cannot be read, or says what cannot be."""


# What may happen to a jail, and must not keep others from anything; the rest are mistakes of ours.
EXPECTED = (DocumentError, EngineError, KernelError, OSError)


def details_of(error: Exception) -> dict[str, str]:
    """What a module returns of an exception besides its text."""
    return {name: getattr(error, name) for name in ("jail", "path", "remedy") if getattr(error, name, "")}


@contextlib.contextmanager
def blaming(path: str, *, jail: str = "", remedy: str = "") -> Iterator[None]:
    """Say of any failure in a block which option of the document it has to do with."""
    try:
        yield
    except (KernelError, OSError) as error:
        raise EngineError(jail, str(error), path=path, remedy=remedy) from error
