# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Event sources of Event-Driven Ansible, run as ansible-rulebook runs them."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parents[2] / "extensions/eda/plugins/event_source"
WAIT = 60.0  # seconds for an event on a busy machine

Get = Callable[[], Any]


@asynccontextmanager
async def event_source(name: str, **options: Any) -> AsyncIterator[Get]:
    """Run an event source by its path, as a task that is cancelled at the end; yield what returns the next event."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    task = asyncio.create_task(runpy.run_path(str(SOURCES / f"{name}.py"))["main"](queue, options))

    async def get() -> dict[str, Any]:
        event = asyncio.create_task(queue.get())
        done, _unused = await asyncio.wait({event, task}, timeout=WAIT, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            task.result()
        assert event in done, f"no event within {WAIT} s"
        return event.result()

    try:
        yield get
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def option_error(name: str, options: dict[str, Any]) -> str:
    """Return the error with which an event source refuses its options."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    try:
        asyncio.run(asyncio.wait_for(runpy.run_path(str(SOURCES / f"{name}.py"))["main"](queue, options), WAIT))
    except Exception as error:
        return str(error)
    raise AssertionError(f"the event source {name} ended without an error")
