# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs overlayctl: python -m overlay.ctl."""

from __future__ import annotations

from .main import main

if __name__ == "__main__":
    raise SystemExit(main())
