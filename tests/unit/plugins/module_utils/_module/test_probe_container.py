# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probe container on hosts of any layout, and how its server is recognised."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.probe_container import host_folders, listens


@pytest.mark.parametrize(
    "folders, prefix, mounted",
    [
        (("usr", "lib", "lib64"), "/usr", ["/usr", "/lib", "/lib64"]),
        (("usr", "lib"), "/usr", ["/usr", "/lib"]),
        (("usr", "lib", "lib64"), "/usr/local", ["/usr", "/lib", "/lib64"]),
        (("usr", "lib", "lib64"), "/opt/python3.12", ["/usr", "/lib", "/lib64", "/opt/python3.12"]),
    ],
)
def test_the_container_sees_the_programs_and_libraries_that_python_needs(
    tmp_path: Path, folders: tuple[str, ...], prefix: str, mounted: list[str]
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    assert host_folders(prefix, tmp_path) == mounted


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_server_is_seen_once_it_listens(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((address, 0))
        port: int = server.getsockname()[1]
        assert not listens(Path("/proc/self/net"), port)
        server.listen()
        assert listens(Path("/proc/self/net"), port)


def test_a_process_that_has_ended_listens_on_nothing(tmp_path: Path) -> None:
    assert not listens(tmp_path / "gone", 8080)
