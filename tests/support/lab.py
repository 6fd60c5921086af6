# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program lab/lab, run for one lab of its own name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"
LIMITS = {"nspawn": 180, "vm": 2400}  # seconds for one command, by the kind of the hosts


class Lab:
    """One lab; nothing runs in it before ``up``."""

    def __init__(self, name: str, kind: str = "nspawn") -> None:
        self.name = name
        self.limit = LIMITS[kind]
        self.environment = {**os.environ, "LAB_NAME": name, "LAB_KIND": kind}
        self.environment.pop("LAB_DIR", None)

    def __call__(self, *words: str) -> str:
        """Run a command of the lab, which must succeed; return what it printed."""
        done = self.try_to(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def try_to(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the lab with this standard input; return how it ended."""
        return subprocess.run(
            [LAB, *words],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=self.limit,
            check=False,
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of the lab, in a process group of its own, with its output in a pipe."""
        return subprocess.Popen(
            [LAB, *words], env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
