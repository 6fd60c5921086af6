# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where flannel's schema puts things below a prefix."""

from __future__ import annotations


def config_key(prefix: str) -> str:
    """Return the key of the network config."""
    return prefix.rstrip("/") + "/config"


def subnets_folder(prefix: str) -> str:
    """Return the folder whose keys are the leases."""
    return prefix.rstrip("/") + "/subnets"
