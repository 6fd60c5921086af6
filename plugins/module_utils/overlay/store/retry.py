# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Retries of a read-modify-write while other writers are faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .errors import ChangedError, GoneError, KeyExistsError

ATTEMPTS = 10  # as in flannel
T = TypeVar("T")


def persist(attempt: Callable[[int], T]) -> T:
    """Return the result of ``attempt``, a read-modify-write by compare-and-swap; retry it while other writers win.

    Its argument is the number of lost attempts before it. After ATTEMPTS the last error is raised.
    """
    for lost in range(ATTEMPTS - 1):
        try:
            return attempt(lost)
        except (ChangedError, GoneError, KeyExistsError):
            continue
    return attempt(ATTEMPTS - 1)
