# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs overlayctl: python -m overlay.ctl."""

from __future__ import annotations

import sys

from .main import main

sys.exit(main())
