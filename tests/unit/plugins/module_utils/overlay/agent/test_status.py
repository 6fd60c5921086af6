# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Status logs each problem once, and its end; files are replaced as a whole or not at all."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.notify import watchdog_pause
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import (
    SILENCE,
    Status,
    reported_trouble,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.files import read_text, write_atomically
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.log import INFO, log
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def test_a_problem_is_logged_once_and_so_is_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "level", INFO)
    status = Status()
    status.trouble("etcd", "it is away")
    status.trouble("etcd", "it is away")
    status.trouble("etcd", "it is away", "and something else")
    status.trouble("etcd")
    status.trouble("etcd")
    assert capsys.readouterr().err == "ERROR it is away\nERROR and something else\nINFO etcd: resolved\n"


def test_only_the_kernel_and_the_rules_decide_on_being_in_sync() -> None:
    status = Status()
    assert not status.in_sync
    status.ready = True
    status.trouble("etcd", "it is away")
    status.trouble("leases", "one is garbage")
    assert status.in_sync
    status.trouble("kernel", "a route was refused")
    assert not status.in_sync
    status.trouble("kernel")
    status.trouble("firewall", "iptables is not there")
    assert not status.in_sync


def test_the_first_problem_can_be_read_from_the_status_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        Status().trouble("etcd", "it is away", "and something else")
        Status().publish()
        assert [reported_trouble(manager.recv(4096).decode()) for _line in range(2)] == ["it is away", ""]


def test_a_loop_without_iterations_is_not_alive() -> None:
    status = Status()
    assert status.alive
    status.last_turn = time.monotonic() - SILENCE - 1
    assert not status.alive


def test_the_watchdog_is_notified_twice_in_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    assert watchdog_pause() == 1.5
    monkeypatch.setenv("WATCHDOG_USEC", "nonsense")
    assert watchdog_pause() == 5.0
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_pause() == 5.0


def test_a_file_is_replaced_as_a_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_atomically(path, "one\n", 0o600)
    write_atomically(path, "two\n")
    assert read_text(path) == "two\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(OverlayError, match=f"cannot write {path}: "):
        write_atomically(path, "text")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OverlayError, match=f"cannot read {path}: "):
        read_text(path)
