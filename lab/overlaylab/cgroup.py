# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control group of each host: create it, join it, end all its processes."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from .process import state_of, wait_until

_ROOT = Path("/sys/fs/cgroup")
_DELEGATED = ("cpu", "cpuset", "io", "memory", "pids")


def _unified() -> bool:
    return (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    """The top folder of each hierarchy: one with version 2 only, else those of version 1 and the unified one."""
    if _unified():
        return [_ROOT]
    return [path for path in _ROOT.iterdir() if not path.is_symlink() and (path / "cgroup.procs").exists()]


def create(name: str) -> None:
    """Create the group in every hierarchy; an existing group is kept."""
    for top in _hierarchies():
        (top / name).mkdir(exist_ok=True)
        if _unified():
            for controller in _DELEGATED:  # controllers that the kernel lacks or cannot delegate are left out
                with contextlib.suppress(OSError):
                    (top / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
        elif (top / "cpuset.cpus").exists():  # version 1 accepts processes only after both are set
            for part in ("cpuset.cpus", "cpuset.mems"):
                (top / name / part).write_text((top / part).read_text(encoding="ascii"), encoding="ascii")


def join(name: str) -> None:
    """Move this process into the group; raise FileNotFoundError if the group was removed."""
    for top in _hierarchies():
        (top / name / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def members(name: str) -> set[int]:
    """The ids of the processes in the group and below it."""
    pids: set[int] = set()
    for top in _hierarchies():
        for directory, _below, _files in os.walk(top / name):  # a group may be removed during the walk
            with contextlib.suppress(OSError):
                pids.update(int(line) for line in Path(directory, "cgroup.procs").read_text(encoding="ascii").split())
    return {pid for pid in pids if pid and state_of(pid) != "Z"}


def remove(name: str) -> None:
    """End every process in the group and remove the group; nothing can join once this has returned."""

    def gone() -> bool:
        for pid in members(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for top in _hierarchies():
            _remove_tree(top / name)
        return not any((top / name).exists() for top in _hierarchies())

    wait_until(gone, 20, f"the end of all processes in the control group {name}")


def _remove_tree(group: Path) -> None:
    for directory, _below, _files in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):  # still in use: the next call removes it
            Path(directory).rmdir()
