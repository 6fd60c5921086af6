# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The former settings of this host. The file is separate because a module is sent with all files that it imports."""

from __future__ import annotations

from pathlib import Path

from ..overlay.host.files import read_text
from ..overlay.model.errors import OverlayError
from ..overlay.model.subnet_env import SubnetEnv, parse_subnet_env


def former_setup(subnet_file: str) -> SubnetEnv | None:
    """Return the values of the subnet file, None if it does not exist or is invalid."""
    text = read_text(Path(subnet_file))
    try:
        return None if text is None else parse_subnet_env(text, subnet_file)
    except OverlayError:
        return None
