# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory file is read back as written; a damaged one or that of another machine is ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.memory import (
    Memory,
    machine_id,
    memory_file,
    recall,
    remember,
)

KNOWN = Memory(
    machine_id=machine_id(),
    subnet="10.50.7.0/24",
    public_ip="192.0.2.7",
    mac="0e:00:00:00:00:07",
    device="flannel.1",
    config='{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}',
    leases={"10.50.7.0-24": "{}", "10.50.8.0-24": "garbage of another host"},
)


def test_a_written_memory_file_is_read_back_and_readable_by_root_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "network.json"
    remember(path, KNOWN)
    assert recall(path) == KNOWN
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_memory_file_is_none(tmp_path: Path) -> None:
    assert recall(tmp_path / "network.json") is None


def test_the_memory_file_of_another_machine_is_ignored(tmp_path: Path) -> None:
    remember(tmp_path / "network.json", KNOWN._replace(machine_id="another"))
    assert recall(tmp_path / "network.json") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subnet", "10.50.7.1/24"),
        ("subnet", None),
        ("public_ip", "192.0.2"),
        ("mac", "0e:00"),
        ("device", 7),
        ("config", "{}"),
        ("config", {}),
        ("leases", [1]),
        ("leases", {"10.50.8.0-24": None}),
        ("unknown", ""),
    ],
)
def test_a_memory_file_with_an_invalid_value_is_ignored(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps({**KNOWN._asdict(), name: value}))
    assert recall(path) is None


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\xff\xfe", b"null", b"[]", b"{}", b"[" * 100_000])
def test_a_file_with_other_content_is_ignored(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(data)
    assert recall(path) is None


def test_each_network_has_its_own_file() -> None:
    prefixes = (
        "/coreos.com/network",
        "/atomic.io/network",
        "/coreos.com-network",
        "/coreos.com/net/work",
        "a/b",
        "/a/b",
    )
    assert len({memory_file("/var/lib/overlayd", prefix) for prefix in prefixes}) == len(prefixes)
    assert memory_file("/var/lib/overlayd", "/coreos.com/network") == Path("/var/lib/overlayd/coreos.com-network.json")
