# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A companion process of overlayd, such as a data path in user space, which keeps running while overlayd restarts.

If systemd runs overlayd, the companion is a transient unit: it has its own cgroup, and systemd restarts it at once.
Otherwise it is a detached process, which the next ``ensure`` restarts. In both cases the process holds a file lock,
which shows that it runs. The kernel frees the lock when the process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model.errors import NotYetError, OverlayError
from ..named_tuple import NamedTuple
from ..patience import PATIENCE
from .files import read_text, write_atomically
from .log import log

START_LIMIT = 10.0  # seconds for a companion to take its lock
STOP_LIMIT = 1.0  # seconds for a companion to end after SIGTERM, before SIGKILL
_COMMAND_LIMIT = 30.0  # seconds for systemd-run and systemctl
_PAUSE = 0.01
_NOTIFY_SOCKET = "/run/systemd/notify"
# Raises its priority, because on a busy host each packet would wait for its turn, as it does not in the kernel; takes
# the lock, writes its process ID into it, and becomes the companion. A second instance ends here. One attempt is not
# enough, because ``Companion.pid`` holds the lock for a moment. It also ends if ``stop`` removed the files meanwhile.
# Arguments: lock file, "detach" or "stay", the command. Detached, it has no parent that would have to wait. In both
# cases it has a session of its own, whose priority counts on most kernels: see sched(7).
_LAUNCHER = """
import contextlib, fcntl, os, sys, time
if sys.argv[2] == "detach":
    os.setsid()
    if os.fork():
        os._exit(0)
with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as group:
    group.write("-10")
with contextlib.suppress(PermissionError):
    os.setpriority(os.PRIO_PROCESS, 0, -10)
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
for attempt in range(100):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:
        time.sleep(0.01)
else:
    sys.exit("another process holds " + sys.argv[1])
os.ftruncate(lock, 0)
os.pwrite(lock, str(os.getpid()).encode(), 0)
try:
    os.stat(sys.argv[1][:-4] + "companion")
    if not os.path.samestat(os.stat(sys.argv[1]), os.fstat(lock)):
        sys.exit()
except FileNotFoundError:
    sys.exit()
os.set_inheritable(lock, True)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Companion(NamedTuple):
    """A companion process: its command line, and the folder of its lock file (overlayd's state folder).

    The command begins with an absolute path. The process must stay in the foreground, and must not close descriptors
    that it does not know: one of them holds the lock. ``properties`` are settings of its systemd unit, such as
    ``ProtectSystem=strict``.
    """

    name: str
    folder: Path
    command: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The name of its systemd unit."""
        return f"overlayd-{self.name}.service"

    def ensure(self) -> bool:
        """Start the process unless it runs with this command line; return whether it was started.

        A process with another command line is stopped first. Raise NotYetError if it has not started within the time
        that is left for waiting, and OverlayError if it cannot be started.
        """
        if not os.access(self.command[0], os.X_OK):
            raise OverlayError(f"process {self.name} cannot be started: {self.command[0]} is not an executable file")
        wanted = {"command": list(self.command), "unit": self.unit if _is_service() else ""}
        if self.pid is not None:
            if self._record() == wanted:
                return False
            self.stop()
        elif self._record() not in ({}, wanted):
            self.stop()
        write_atomically(self._record_file, json.dumps(wanted), 0o600)
        if wanted["unit"]:
            self._start_unit()
        else:
            self._start_detached()
        deadline = time.monotonic() + START_LIMIT
        while self.pid is None:
            if time.monotonic() > deadline or PATIENCE.is_over:
                raise NotYetError(
                    f"process {self.name} has not started yet: {' '.join(self.command)}; see its messages in the log "
                    f"of {'unit ' + self.unit if wanted['unit'] else 'overlayd'}"
                )
            PATIENCE.pause(_PAUSE)
        return True

    def kill(self) -> int | None:
        """Kill the process, which does not answer; return its process ID, None if it does not run."""
        pid = self.pid
        if pid is None:
            return None
        log.warning("process %s (process ID %d) does not answer; it is killed and started again", self.name, pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_LIMIT
        while self.pid == pid and time.monotonic() < deadline:
            PATIENCE.pause(_PAUSE)
        return pid

    @property
    def pid(self) -> int | None:
        """The process ID of the running process, None if it does not run."""
        try:
            handle = os.open(self._lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(handle, 32, 0)
            return int(text) if text.isdigit() else None
        finally:
            os.close(handle)
        return None

    def stop(self) -> bool:
        """Stop the process and remove its files; return whether it ran."""
        if self._record().get("unit"):
            # Also if it does not run: systemd may be about to restart it.
            pid = self.pid
            _run("systemctl", "stop", self.unit)
            self._record_file.unlink(missing_ok=True)
        else:
            # First the record: a process that does not have the lock yet ends without it, any other one has the lock.
            self._record_file.unlink(missing_ok=True)
            pid = self.pid
            if pid is not None:
                self._end(pid)
        self._lock_file.unlink(missing_ok=True)
        return pid is not None

    @property
    def _lock_file(self) -> Path:
        return self.folder / f"{self.name}.lock"

    @property
    def _record_file(self) -> Path:
        """The file that has the command line of the last start, and whether systemd runs it."""
        return self.folder / f"{self.name}.companion"

    def _record(self) -> dict[str, Any]:
        text = read_text(self._record_file)
        try:
            record = json.loads(text or "{}")
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}

    def _launch(self, mode: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(self._lock_file), mode, *self.command]

    def _start_detached(self) -> None:
        """Start it with overlayd's standard error, from a process that ends at once."""
        null = subprocess.DEVNULL
        try:
            launched = subprocess.run(
                self._launch("detach"), stdin=null, stdout=null, cwd="/", check=False, timeout=START_LIMIT
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OverlayError(f"process {self.name} did not start: {error}") from error
        if launched.returncode:
            raise OverlayError(f"process {self.name} did not start: {self.command[0]}: status {launched.returncode}")

    def _start_unit(self) -> None:
        settings = (
            "Restart=always",
            "RestartSec=100ms",
            "StartLimitIntervalSec=0",
            "TimeoutStopSec=1s",
            *self.properties,
        )
        options = [f"--property={one}" for one in settings]
        answer = _run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={self.unit}",
            f"--description={self.name} of overlayd",
            *options,
            "--",
            *self._launch("stay"),
        )
        # A loaded unit is about to be restarted by systemd.
        if answer and "already" not in answer:
            raise OverlayError(f"unit {self.unit} did not start: {answer}")

    def _end(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_LIMIT
            while self.pid == pid:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                PATIENCE.pause(_PAUSE)


def _is_service() -> bool:
    """Return whether systemd runs this process; one that was started by hand has no notification socket of systemd."""
    return os.environ.get("NOTIFY_SOCKET") == _NOTIFY_SOCKET


def _run(*command: str) -> str:
    """Run a command of systemd; return its error message, "" for success."""
    # The commands would notify systemd for overlayd, which it reports as a mistake.
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMMAND_LIMIT, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{command[0]}: status {done.returncode}")


def stop_all(folder: Path, names: Sequence[str]) -> list[str]:
    """Stop the companions of these names in a state folder; return the names of those that ran."""
    return [name for name in names if Companion(name, folder).stop()]
