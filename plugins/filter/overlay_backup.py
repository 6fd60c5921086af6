# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the playbooks backup, restore and recover_etcd: the contents of a backup, and whether it suits a fleet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 1
_TEXTS = ("created", "cluster_token", "etcd_version", "member", "prefix", "api", "tls", "snapshot")


def overlay_backup(text: str) -> dict[str, Any]:
    """Return the contents of a backup, with the reasons why it is none in ``problems``."""
    try:
        found = json.loads(text)
    except ValueError:
        return {
            "problems": [
                "it is not JSON, so it is damaged or not a file of clusternet.overlay.backup; use another backup"
            ]
        }
    if not isinstance(found, dict) or "format" not in found:
        return {"problems": ["it has no format, so it is not a file of clusternet.overlay.backup; use another file"]}
    if found["format"] != FORMAT:
        return {
            "problems": [
                f"its format is {found['format']}; this collection reads format {FORMAT}; use the release that wrote it"
            ]
        }
    missing = [name for name in _TEXTS if not isinstance(found.get(name), str)]
    if not isinstance(found.get("ca"), dict):
        missing.append("ca")
    if missing:
        return {"problems": [f"it has no {', '.join(missing)}, so it is damaged; use another backup"]}
    return {**found, "problems": []}


def overlay_backup_problems(backup: Mapping[str, Any], fleet: Mapping[str, Any]) -> list[str]:
    """Return why a backup of overlay_backup does not suit a fleet, as sentences."""
    problems = [
        f"{name} is {backup[name]!r} in the backup and {fleet[name]!r} in the inventory; use the backup of this fleet, "
        f"or set {variable}"
        for name, variable in (
            ("cluster_token", "etcd_cluster_token"),
            ("prefix", "overlay_etcd_prefix"),
            ("tls", "etcd_tls"),
        )
        if backup[name] != fleet[name]
    ]
    if backup["api"] != "v3":
        problems.append(
            "it is of a fleet with the v2 API, and a snapshot does not contain the network config and leases of v2; "
            "use a backup that was written after the move to v3"
        )
    if not backup["snapshot"]:
        problems.append("it has no snapshot of etcd; use another backup")
    if fleet["tls"] == "role-made" and sorted(backup["ca"]) != ["crt", "key"]:
        problems.append("it has no CA, but etcd_tls is role-made; use another backup")
    return problems


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_backup": overlay_backup, "overlay_backup_problems": overlay_backup_problems}
