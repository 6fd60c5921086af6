# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about an imagined host, for the unit tests of the checks."""

from __future__ import annotations

from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.agent_service import Service
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.checks import diagnose
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.facts import Facts
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.setup import setup_of

NOW = 1_800_000_000.0


def facts(**known: Any) -> Facts:
    """Return facts of which only these are known."""
    return Facts(setup_of({}, (), "settings"), NOW, **known)


def names(found: Facts) -> list[str]:
    """Return the names of the findings above a note."""
    return [one.name for one in diagnose(found) if one.is_problem]


def service(**changes: Any) -> Service:
    """Return an agent's unit that runs and is enabled, with changes."""
    values: dict[str, Any] = {
        "unit": "overlayd.service",
        "load": "loaded",
        "state": "active",
        "sub_state": "running",
        "enabled": "enabled",
        "restarts": 0,
        "result": "success",
        "exit_status": 0,
        "status": "subnet 10.50.7.0/24, 2 peers",
        "active_seconds": 100.0,
    }
    return Service(**{**values, **changes})
