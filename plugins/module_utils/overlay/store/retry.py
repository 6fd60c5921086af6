# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A read-modify-write of one key, retried while other writers win."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .errors import ChangedError, GoneError, KeyExistsError

ATTEMPTS = 10  # as many as flannel makes when others are faster
T = TypeVar("T")


def persist(attempt: Callable[[int], T]) -> T:
    """Return the result of an attempt to read, decide and compare-and-swap; retry while other writers win.

    The attempt is given the number of attempts that were lost before it. Raise the last error after ATTEMPTS.
    """
    for lost in range(ATTEMPTS - 1):
        try:
            return attempt(lost)
        except (ChangedError, GoneError, KeyExistsError):
            continue
    return attempt(ATTEMPTS - 1)
