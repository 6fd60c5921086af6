# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a program that only reads, and returns its output."""

from __future__ import annotations

import os
import subprocess

_TIMEOUT = 20.0  # seconds


def output(*words: str) -> str:
    """Return the output of a program in the locale C, "" if it is missing, fails or takes too long."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '/usr/bin')}:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", env=environment, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
