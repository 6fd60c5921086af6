# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several endpoints, one cluster: an operation goes to the endpoint that last worked, then to each of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .connection import Endpoint
from .errors import UnreachableError
from .reachable import first_accepting
from .wire import EndpointError

LONGEST_SILENCE = 5  # times the timeout of an operation; a watch that hears nothing for longer makes sure of its server
T = TypeVar("T")


class Failover:
    """Remembers which endpoint works."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints = endpoints
        self._preferred = 0

    def run(self, attempt: Callable[[Endpoint], T], repeatable: bool = True) -> T:
        """Return what the first endpoint that can be used answers; raise UnreachableError naming all with reasons.

        An operation that is not ``repeatable`` ends at the first endpoint that may have acted on it.
        """
        reasons: dict[str, str] = {}
        start = self._preferred
        for index in range(start, start + len(self._endpoints)):
            endpoint = self._endpoints[index % len(self._endpoints)]
            try:
                return attempt(endpoint)
            except EndpointError as error:
                reasons[str(endpoint)] = str(error)
                self._preferred = (index + 1) % len(self._endpoints)
                if error.sent and not repeatable:
                    reasons[str(endpoint)] += " (the change may have been made all the same: read again)"
                    break
        raise UnreachableError(reasons)

    def avoid(self, endpoint: Endpoint) -> None:
        """Let the next operation begin at another endpoint."""
        self._preferred = (self._endpoints.index(endpoint) + 1) % len(self._endpoints)

    def find(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections within ``timeout`` seconds, and begin at it from now on."""
        found = first_accepting(self._endpoints, timeout)
        if found is not None:
            self._preferred = self._endpoints.index(found)
        return found is not None
