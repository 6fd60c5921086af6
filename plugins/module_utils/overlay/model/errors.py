# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Exceptions of the package; each message names what failed, the value, the cause and what to do."""

from __future__ import annotations


class OverlayError(Exception):
    """Base class of all exceptions of this package; ``str(error)`` is a message for users."""


class ConfigError(OverlayError):
    """The network config, or one of its options, is invalid."""


class LeaseError(OverlayError):
    """A lease key or value is invalid, or must not be used."""


class PoolExhaustedError(LeaseError):
    """No subnet from SubnetMin to SubnetMax is free."""


class StoreError(OverlayError):
    """etcd cannot be reached, or it refused a request."""


class KernelError(OverlayError):
    """The kernel refused a change, or a required interface does not exist."""


class NotYetError(KernelError):
    """A process that a device needs was started and is not ready yet; the same request can succeed later."""
