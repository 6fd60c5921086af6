# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file is used as a backup only if it is a complete one of this fleet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_backup import FilterModule

filters = FilterModule().filters()
WHOLE: dict[str, Any] = {
    "format": 1,
    "created": "2026-11-29T17:20:00Z",
    "cluster_token": "overlay",
    "etcd_version": "3.4.23",
    "member": "h1",
    "prefix": "/coreos.com/network",
    "api": "v3",
    "tls": "role-made",
    "snapshot": "AAAA",
    "ca": {"crt": "AAAA", "key": "AAAA"},
}
FLEET = {"cluster_token": "overlay", "prefix": "/coreos.com/network", "tls": "role-made"}


def read(text: str) -> dict[str, Any]:
    """The contents of a backup."""
    found: dict[str, Any] = filters["overlay_backup"](text)
    return found


def problems(fleet: dict[str, str] | None = None, **changed: Any) -> str:
    """Why a backup with these changes does not suit a fleet."""
    fleet = FLEET if fleet is None else fleet
    return "; ".join(filters["overlay_backup_problems"](read(json.dumps({**WHOLE, **changed})), fleet))


def test_a_whole_backup_is_read() -> None:
    assert read(json.dumps(WHOLE)) == {**WHOLE, "problems": []}
    assert problems() == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is not JSON"),
        ("[]", "it has no format"),
        ('{"format": 2}', "its format is 2; this collection reads format 1"),
        ('{"format": 1}', "it has no created, cluster_token"),
    ],
)
def test_another_file_is_no_backup(text: str, problem: str) -> None:
    assert problem in read(text)["problems"][0]


def test_a_backup_of_another_fleet_is_refused() -> None:
    assert "set etcd_cluster_token" in problems(cluster_token="other")
    assert "set etcd_tls" in problems(fleet={**FLEET, "tls": "disabled"})


def test_a_backup_without_the_data_of_the_fleet_is_refused() -> None:
    assert "a fleet with the v2 API" in problems(api="v2")
    assert "it has no snapshot" in problems(snapshot="")
    assert "it has no CA" in problems(ca={})
