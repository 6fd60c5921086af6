# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits for healthy etcd members, and finds out whether an etcd is empty."""

from __future__ import annotations

import json
import time

from ..overlay.diagnosis.endpoints import Health, read_health
from ..overlay.model.errors import StoreError
from ..overlay.store.connection import Endpoint, EtcdConnection
from ..overlay.store.gateway import Gateway
from ..overlay.store.wire import HttpWire

PAUSE = 0.3  # seconds between two requests for the health of a member
_EMPTY_RANGE = {"key": "AA==", "range_end": "AA==", "limit": "1"}


def wait_healthy(connection: EtcdConnection, seconds: float) -> list[Health]:
    """Return the health of each endpoint once all are healthy, at the latest after ``seconds``; raise StoreError."""
    end = time.monotonic() + seconds
    while True:
        found = read_health(connection)
        if all(each.is_healthy for each in found) or time.monotonic() >= end:
            return found
        time.sleep(PAUSE)


def is_empty(connection: EtcdConnection, endpoint: Endpoint) -> bool:
    """Return whether nothing was ever written to the etcd at this endpoint; False if it cannot be read."""
    alone = connection.with_endpoints((str(endpoint),))
    gateway, wire = Gateway(alone), HttpWire(endpoint, alone.tls_context(), alone.timeout)
    try:
        header = gateway.call("/kv/range", _EMPTY_RANGE).get("header", {})
        return header.get("revision") == "1" and not _has_v2_keys(wire)
    except StoreError:
        return False
    finally:
        gateway.close()
        wire.close()


def _has_v2_keys(wire: HttpWire) -> bool:
    """Return whether the v2 store has keys; an etcd without the v2 API answers 404."""
    response = wire.exchange("GET", "/v2/keys/", {})
    if response.status == 404:
        return False
    try:
        return bool(json.loads(response.body)["node"].get("nodes"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return True
