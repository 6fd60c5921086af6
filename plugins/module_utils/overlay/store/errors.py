# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways in which etcd says no, each with its own name, so that a caller can react to the one it expects."""

from __future__ import annotations

from collections.abc import Mapping

from ..model.errors import ConfigError, StoreError


class KeyExistsError(StoreError):
    """The key that was to be created is already there."""


class ChangedError(StoreError):
    """Another writer changed the key since it was read; read it again and decide anew."""


class GoneError(StoreError):
    """The key, which was there when it was read, is there no longer."""


class CompactedError(StoreError):
    """etcd no longer knows the history since a revision; take a new snapshot and compare."""


class AuthenticationError(StoreError):
    """etcd refused the user, the password, or what the user may do."""


class AuthenticationDisabledError(StoreError):
    """A password was to be checked, but the cluster has no authentication enabled."""


class ConfigMissingError(ConfigError):
    """There is no network config under the prefix (yet)."""


class UnreachableError(StoreError):
    """No endpoint could be used; ``reasons`` says why, by endpoint, in the order they were tried."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        tried = "; ".join(f"{endpoint}: {reason}" for endpoint, reason in self.reasons.items())
        super().__init__(f"no etcd endpoint can be used: {tried}; check the endpoints and that etcd runs there")
