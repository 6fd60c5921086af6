# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes that provide a device. How one is started is known to the layer above, which registers it here."""

from __future__ import annotations

from collections.abc import Callable

from ..model.errors import KernelError, OverlayError

_STARTERS: dict[str, Callable[[], object]] = {}


def register(backend: str, starter: Callable[[], object]) -> None:
    """Start the process of a backend by this function from now on; it does nothing if the process runs."""
    _STARTERS[backend] = starter


def start(backend: str) -> None:
    """Start the process of a backend unless it runs.

    Raise NotYetError if it is not ready yet, and KernelError if it cannot be started.
    """
    starter = _STARTERS.get(backend)
    if starter is None:
        raise KernelError(f"backend {backend}: only overlayd starts its data path process; run overlayd on this host")
    try:
        starter()
    except KernelError:
        raise
    except OverlayError as error:
        raise KernelError(str(error)) from error
