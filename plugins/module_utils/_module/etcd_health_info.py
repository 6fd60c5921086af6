# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module etcd_health_info: the health of each member of an etcd cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._etcd_admin.health import is_empty, wait_healthy
from ..overlay.diagnosis.endpoints import Health
from ..overlay.store.connection import Endpoint, EtcdConnection


def show(connection: EtcdConnection, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the module; an unhealthy member is a fact, not an error. Raise StoreError."""
    found = wait_healthy(connection, params["wait"])
    return {
        "changed": False,
        "members": [_facts(connection, each, params["contents"]) for each in found],
        "healthy": [each.endpoint for each in found if each.is_healthy],
        "problems": [f"{each.endpoint}: {each.problem}" for each in found if not each.is_healthy],
    }


def _facts(connection: EtcdConnection, health: Health, contents: bool) -> dict[str, Any]:
    facts = {"endpoint": health.endpoint, "healthy": health.is_healthy, "problem": health.problem}
    return {**facts, "empty": is_empty(connection, Endpoint.parse(health.endpoint))} if contents else facts
