# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fail-over between the endpoints of a cluster: the endpoint that last worked is tried first, then the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .connection import Endpoint
from .errors import UnreachableError
from .reachable import first_accepting
from .wire import EndpointError

LONGEST_SILENCE = 5  # multiple of an operation's timeout; a watch without data for longer checks its server
T = TypeVar("T")


class Failover:
    """The endpoints of a cluster, and the one to try first."""

    def __init__(self, endpoints: tuple[Endpoint, ...], observe: Callable[[float, bool], object] | None = None) -> None:
        """Each attempt calls ``observe`` with its duration in seconds, and whether the endpoint answered."""
        self._endpoints = endpoints
        self._observe = observe
        self._preferred = 0

    def run(self, attempt: Callable[[Endpoint], T], repeatable: bool = True) -> T:
        """Return the result of the attempt at the first endpoint that can be used.

        Raise UnreachableError with the cause for each endpoint if none can be used. An operation that is not
        ``repeatable`` is not tried at another endpoint once one may have executed it.
        """
        reasons: dict[str, str] = {}
        start = self._preferred
        for index in range(start, start + len(self._endpoints)):
            endpoint = self._endpoints[index % len(self._endpoints)]
            try:
                return self._observed(attempt, endpoint)
            except EndpointError as error:
                reasons[str(endpoint)] = str(error)
                self._preferred = (index + 1) % len(self._endpoints)
                if error.sent and not repeatable:
                    reasons[str(endpoint)] += " (etcd may have made the change; read the key again)"
                    break
        raise UnreachableError(reasons)

    def _observed(self, attempt: Callable[[Endpoint], T], endpoint: Endpoint) -> T:
        if self._observe is None:
            return attempt(endpoint)
        started, answered = time.monotonic(), True
        try:
            return attempt(endpoint)
        except EndpointError:
            answered = False
            raise
        finally:
            self._observe(time.monotonic() - started, answered)

    def avoid(self, endpoint: Endpoint) -> None:
        """Begin the next operation at another endpoint."""
        self._preferred = (self._endpoints.index(endpoint) + 1) % len(self._endpoints)

    def find(self, timeout: float) -> bool:
        """Return whether an endpoint accepts connections within ``timeout`` seconds; operations then begin at it."""
        found = first_accepting(self._endpoints, timeout)
        if found is not None:
            self._preferred = self._endpoints.index(found)
        return found is not None
