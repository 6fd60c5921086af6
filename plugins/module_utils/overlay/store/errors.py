# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors of etcd operations, one class for each cause that a caller may handle."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.errors import ConfigError, StoreError


class KeyExistsError(StoreError):
    """The key to create already exists."""


class ChangedError(StoreError):
    """Another writer changed the key after it was read; read it again and decide again."""


class GoneError(StoreError):
    """The key was deleted or expired after it was read."""


class CompactedError(StoreError):
    """etcd no longer has all events since a revision; take a new snapshot and compare."""


class AuthenticationError(StoreError):
    """etcd refused the user or the password, or the user lacks a permission."""


class AuthenticationDisabledError(StoreError):
    """A password cannot be checked because the cluster has authentication disabled."""


class ConfigMissingError(ConfigError):
    """The prefix has no network config (yet)."""


class UnreachableError(StoreError):
    """No endpoint could be used; ``reasons`` has the cause by endpoint, in the order in which they were tried."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        tried = "; ".join(f"{endpoint}: {reason}" for endpoint, reason in self.reasons.items())
        super().__init__(f"no etcd endpoint can be used: {tried}; check the endpoints, and whether etcd runs there")
