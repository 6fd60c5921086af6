# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the filters need on the controller."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_error_of_a_controller_without_netaddr_names_the_library(tmp_path: Path) -> None:
    (tmp_path / "netaddr.py").write_text("raise ImportError('not installed')\n")
    script = (
        "from ansible_collections.clusternet.overlay.plugins.filter.overlay_problems import overlay_problems\n"
        "overlay_problems({}, [])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT / 'collections'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Failed to import the required Python library (netaddr)" in run.stderr
