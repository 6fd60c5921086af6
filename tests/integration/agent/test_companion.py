# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Processes beside overlayd, without systemd: they survive their starter, are restarted, and are stopped."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.companion import Companion
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from support.agent_host import PACKAGE, until

SLEEP = ("/bin/sleep", "1000")
DEAF = (sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)")
STARTER = """
import sys
from pathlib import Path
from overlay.host.companion import Companion
companion = Companion("data", Path(sys.argv[1]), ("/bin/sleep", "1000"))
companion.ensure()
print(companion.pid)
"""


@pytest.fixture(autouse=True)
def _not_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


@pytest.fixture
def companion(tmp_path: Path) -> Iterator[Companion]:
    one = Companion("data", tmp_path, SLEEP)
    yield one
    one.stop()


def command_of(pid: int | None) -> list[str]:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def wait_gone(pid: int | None) -> None:
    """Wait until a process has ended and is no zombie."""
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the process", 5.0)


def test_it_runs_the_command_and_starts_it_once(companion: Companion) -> None:
    assert companion.pid is None
    assert companion.ensure()
    pid = companion.pid
    until(lambda: command_of(pid) == list(SLEEP), "the command in the process")
    assert not companion.ensure()
    assert companion.pid == pid


def test_it_has_a_higher_priority_than_other_processes(companion: Companion) -> None:
    companion.ensure()
    assert companion.pid is not None
    assert os.getpriority(os.PRIO_PROCESS, companion.pid) == -10
    group = Path(f"/proc/{companion.pid}/autogroup")
    assert not group.exists() or group.read_text().endswith("nice -10\n")


def test_it_is_restarted_after_it_was_killed(companion: Companion) -> None:
    companion.ensure()
    pid = companion.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: companion.pid is None, "the end of the process")
    assert companion.ensure()
    assert companion.pid not in (None, pid)


def test_it_survives_the_process_that_started_it_and_is_adopted_by_the_next(companion: Companion) -> None:
    command = [sys.executable, "-c", STARTER, str(companion.folder)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    printed = [
        subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        for _unused in range(2)
    ]
    assert printed[0] == printed[1] == f"{companion.pid}\n"
    assert not companion.ensure()


def test_another_command_line_replaces_it(companion: Companion) -> None:
    companion.ensure()
    former = companion.pid
    other = companion._replace(command=("/bin/sleep", "2000"))
    assert other.ensure()
    until(lambda: command_of(other.pid) == ["/bin/sleep", "2000"], "the command in the process")
    wait_gone(former)


@pytest.mark.parametrize("command", [SLEEP, DEAF], ids=["obedient", "ignores SIGTERM"])
def test_stop_ends_it_and_leaves_no_file(tmp_path: Path, command: tuple[str, ...]) -> None:
    companion = Companion("data", tmp_path, command)
    companion.ensure()
    pid = companion.pid
    assert companion.stop()
    wait_gone(pid)
    assert list(tmp_path.iterdir()) == []
    assert not companion.stop()


def test_it_is_no_child_and_no_zombie_of_its_starter(companion: Companion) -> None:
    companion.ensure()
    pid = companion.pid
    assert pid is not None
    assert str(pid) not in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)


def test_two_starts_at_the_same_time_start_one_process(companion: Companion) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _unused: companion.ensure(), range(4)))
    until(lambda: not any(_has(path, companion) for path in Path("/proc").glob("[0-9]*/cmdline")), "no launcher", 5.0)
    assert command_of(companion.pid) == list(SLEEP)


def _has(path: Path, companion: Companion, word: str = "") -> bool:
    """Whether a process is still a launcher of this companion."""
    return _mentions(path, str(companion.folder)) and _mentions(path, word)


def _mentions(path: Path, text: str) -> bool:
    try:
        return text in path.read_text()
    except OSError:
        return False


def test_stop_ends_a_process_that_is_still_starting(tmp_path: Path) -> None:
    seconds = f"1000.{os.getpid()}"
    companion = Companion("data", tmp_path, ("/bin/sleep", seconds))
    lock = tmp_path / "data.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        program = STARTER.replace("1000", seconds)
        starter = subprocess.Popen([sys.executable, "-c", program, tmp_path], env={"PYTHONPATH": str(PACKAGE)})
        until(lambda: any(_has(path, companion, "detach") for path in Path("/proc").glob("[0-9]*/cmdline")), "launcher")
        starter.kill()
        starter.wait()
        companion.stop()

    def has_ended() -> bool:
        """Whether no process has the words of the companion in its command line, as its launcher has, too."""
        return not any(_mentions(path, seconds) for path in Path("/proc").glob("[0-9]*/cmdline"))

    until(lambda: has_ended() and has_ended(), "its end", 5.0)  # one look could miss a launcher that forks


def test_a_command_that_does_not_exist_is_an_error_with_its_name(tmp_path: Path) -> None:
    companion = Companion("data", tmp_path, ("/nonexistent/program",))
    with pytest.raises(
        OverlayError, match=r"process data cannot be started: /nonexistent/program is not an executable"
    ):
        companion.ensure()
    assert list(tmp_path.iterdir()) == []
