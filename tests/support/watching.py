# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helpers for tests of watches: wait for events with a limit, and show them as short text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Event, Put

LIMIT = 10.0  # seconds


def brief(events: list[Event]) -> list[str]:
    """Return "name=value" for each key put and "-name" for each removed."""
    return [
        f"{event.item.key.rpartition('/')[2]}={event.item.value}"
        if isinstance(event, Put)
        else f"-{event.key.rpartition('/')[2]}"
        for event in events
    ]


def collect(watch: Iterator[list[Event]], count: int, limit: float = LIMIT) -> list[Event]:
    """Return the next ``count`` events (or more, if they come together); fail when they do not come in time."""
    deadline = time.monotonic() + limit
    seen: list[Event] = []
    while len(seen) < count:
        seen += next(watch)
        assert time.monotonic() < deadline, f"{count} events expected, got {brief(seen)}"
    return seen


def eventually(condition: Callable[[], bool], limit: float = LIMIT) -> None:
    """Return once the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)
