# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab whose boots and traces on the machine can be seen."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.lab import Lab

STARTED = ("systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value")


class Runner(Lab):
    """A lab, and its traces on the machine."""

    def __init__(self, name: str, kind: str = "nspawn") -> None:
        super().__init__(name, kind)
        self.full_name = f"clusternet-lab.{name}"
        self.directory = Path("/var/lib/clusternet-lab") / name

    def started_at(self, host: str) -> str:
        return self("exec", host, *STARTED)

    def has_booted_since(self, host: str, before: str) -> bool:
        done = self.try_to("exec", host, *STARTED)
        return done.returncode == 0 and done.stdout.strip() not in ("", before)

    def supervisor(self, host: str) -> int:
        return int((self.directory / "hosts" / host / "supervisor").read_text())

    def residue(self) -> list[str]:
        """Everything on the machine that carries the lab's name."""
        found = [str(path) for path in (self.directory, Path("/run/systemd/nspawn/propagate") / self.full_name)]
        found = [path for path in found if Path(path).exists()]
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if self.mine(line)]
        found += [str(path) for path in Path("/run/netns").glob(f"{self.full_name}*")]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{self.full_name}*")]
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and self.mine((process / "cmdline").read_text()):
                    found.append(f"process {process.name}")
                if process.name.isdigit() and f"LAB_NAME={self.name}\0" in (process / "environ").read_text():
                    found.append(f"process {process.name}")
        return found

    def mine(self, text: str) -> bool:
        return self.full_name in text or str(self.directory) in text
