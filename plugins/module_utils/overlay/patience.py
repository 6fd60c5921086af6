# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long overlayd waits for its companion processes, and what happens if one does not answer."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ANSWER = 1.0  # seconds for an answer of a healthy process
TURN = 2.0  # seconds in all that one turn of overlayd's loop waits for processes


class Patience:
    """The time that is left for waiting; without ``begin_turn``, as in a module, it is not limited in all."""

    def __init__(self) -> None:
        """Wait for any process, and kill none."""
        self._left = math.inf
        self._silent: set[str] = set()  # processes that did not answer, and were not killed
        self._killers: dict[str, Callable[[], int | None]] = {}

    def begin_turn(self) -> None:
        """Start a turn of the loop, in which all waits together are limited."""
        self._left = TURN
        self._silent.clear()

    def register(self, name: str, killer: Callable[[], int | None]) -> None:
        """Kill a process that does not answer by this function, which returns its process ID, None for none."""
        self._killers[name] = killer

    @property
    def is_over(self) -> bool:
        """Whether this turn must not wait any longer."""
        return self._left <= 0

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
        self._left -= seconds

    @contextmanager
    def wait(self, name: str) -> Iterator[float]:
        """Yield the seconds for an answer of a process; raise socket.timeout if none can be expected."""
        if name in self._silent or self.is_over:
            raise socket.timeout("timed out")
        start = time.monotonic()
        try:
            yield min(ANSWER, self._left)
        finally:
            self._left -= time.monotonic() - start

    def no_answer(self, name: str, since: float) -> str:
        """Kill a process that has not answered since this time (monotonic clock); return a sentence for the user.

        It is not killed if this turn had not enough time left for it.
        """
        sentence = f"process {name} did not answer within {ANSWER:.0f} second"
        has_waited = time.monotonic() - since >= ANSWER * 0.9
        killed = self._killers[name]() if has_waited and name in self._killers else None
        if killed is None:
            self._silent.add(name)
            return sentence
        return f"{sentence}: process ID {killed} was killed, and is started again"


PATIENCE = Patience()
