# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helpers: run programs, wait for conditions, and hold locks that end with their process."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path


class LabError(Exception):
    """An error for the user; its text is one line with the solution."""


def run(
    *command: str, env: Mapping[str, str] | None = None, timeout: float | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output; raise LabError with its output if it fails, or with the expired timeout."""
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"the command did not end within {timeout} s: {' '.join(command)}") from None
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip() or f'exit {done.returncode}'}")
    return done


def contained(*command: str) -> list[str]:
    """The command in its own process and mount namespaces, which end together with the calling process."""
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *command,
    ]


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until the condition is true; raise LabError if it is not within that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def state_of(pid: int) -> str:
    """The state letter of a process, as in proc(5); Z (zombie) also for a process that no longer exists."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


@contextlib.contextmanager
def only_one(what: str, seconds: float) -> Iterator[None]:
    """Allow `what` in one process at a time; other processes wait up to `seconds`.

    The lock is a name in the abstract socket namespace (unix(7)): it needs no file and is free when its holder ends.
    """
    lock = socket.socket(socket.AF_UNIX)

    def taken() -> bool:
        try:
            lock.bind(f"\0{what}")
        except OSError:
            return False
        return True

    with lock:
        if not taken():
            print(f"waiting for another {what}", file=sys.stderr)
            wait_until(taken, seconds, f"the end of another {what}")
        yield
