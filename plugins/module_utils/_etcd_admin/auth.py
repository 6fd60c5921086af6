# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values that both APIs share when authentication is set up: the overlay's account and a step towards it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ROOT = "root"  # the one user that etcd demands before authentication can be enabled


class Account(NamedTuple):
    """The overlay's user: it may read and write the keys below the prefix and nothing else; its role has its name."""

    name: str
    password: str
    prefix: str


class Step(NamedTuple):
    """One change: the command a person would type, without any password, and the request that makes it."""

    text: str
    path: str
    body: Mapping[str, Any]
