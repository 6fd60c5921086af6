# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values for the setup of authentication with both APIs: the overlay's account, and a step of the setup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ROOT = "root"  # etcd requires this user before authentication can be enabled


class Account(NamedTuple):
    """The overlay's user, which may read and write only the keys below the prefix; its role has the same name."""

    name: str
    password: str
    prefix: str


class AuthStep(NamedTuple):
    """One change: the equivalent command without passwords, and the request that makes the change."""

    text: str
    path: str
    body: Mapping[str, Any]
