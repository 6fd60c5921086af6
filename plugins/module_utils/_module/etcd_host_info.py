# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module etcd_host_info: the state of etcd on a host as the role etcd installs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..overlay.diagnosis.service_age import changed_since_start, is_started
from .host_state import active_firewalls, not_installed, runs_as_configured, unit_properties

UNIT = "etcd.service"
_SETTING = re.compile(r'^ETCD_INITIAL_CLUSTER_(TOKEN|STATE)="(.*)"$', re.MULTILINE)


def show(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the module; a host without etcd is a fact, not an error."""
    bootstrap = Path(params["bootstrap_file"])
    settings = initial_cluster(bootstrap.read_text(encoding="utf-8")) if bootstrap.exists() else None
    return {
        "changed": False,
        "has_data": Path(params["data_dir"], "member").exists(),
        "initial_cluster": settings,
        "has_unit": Path(params["unit_file"]).exists(),
        "runs": runs_as_configured(unit_properties(UNIT)),
        "started": is_started(UNIT),
        "changed_files": changed_since_start(UNIT, params["files"]),
        "missing_packages": not_installed(params["packages"]),
        "firewalls": active_firewalls(),
    }


def initial_cluster(text: str) -> dict[str, str]:
    """Return token and state of etcd's settings for its first start; empty where the text has none."""
    found = {name.lower(): value for name, value in _SETTING.findall(text)}
    return {"token": found.get("token", ""), "state": found.get("state", "")}
