# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files newer than a service: the times are those of a real file system, the folder of systemd is a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.service_age import (
    changed_since_start,
    is_started,
)

UNIT = "some.service"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """An empty folder of units."""
    folder = tmp_path / "units"
    folder.mkdir()
    return folder


def start(units: Path, after: Path) -> None:
    """Mark the service as started, at a later time than the file's last change as the file system counts time."""
    link = units / f"invocation:{UNIT}"
    while True:
        link.unlink(missing_ok=True)
        link.symlink_to("0123456789abcdef")
        if link.lstat().st_ctime_ns > after.lstat().st_ctime_ns:
            return


def change(file: Path, since: Path) -> None:
    """Change only the permissions of a file, later than the last change of the other one."""
    mode = 0o600
    while file.lstat().st_ctime_ns <= since.lstat().st_ctime_ns:
        mode ^= 0o040
        file.chmod(mode)


def test_a_file_that_changed_after_the_start_is_returned_and_an_older_one_is_not(tmp_path: Path, units: Path) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    newer.touch()
    older.touch()
    start(units, older)
    change(newer, units / f"invocation:{UNIT}")
    assert changed_since_start(UNIT, [str(older), str(newer)], units) == [str(newer)]


def test_a_link_counts_and_not_the_file_that_it_points_to(tmp_path: Path, units: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    link.symlink_to(target)
    start(units, link)
    change(target, units / f"invocation:{UNIT}")
    assert changed_since_start(UNIT, [str(link)], units) == []


def test_a_missing_file_has_not_changed(tmp_path: Path, units: Path) -> None:
    start(units, tmp_path)
    assert changed_since_start(UNIT, [str(tmp_path / "missing")], units) == []


def test_nothing_is_newer_than_a_stopped_service(tmp_path: Path, units: Path) -> None:
    (tmp_path / "file").touch()
    assert changed_since_start(UNIT, [str(tmp_path / "file")], units) == []
    assert not is_started(UNIT, units)


def test_a_started_service_is_known_by_its_whole_name(tmp_path: Path, units: Path) -> None:
    start(units, tmp_path)
    assert is_started(UNIT, units)
    assert not is_started("some", units)
