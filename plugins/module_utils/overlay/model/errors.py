# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The errors of the package: every one says what is wrong, with which value, and the way out."""

from __future__ import annotations


class OverlayError(Exception):
    """Root of all errors that this package raises on purpose; ``str(error)`` is fit to be shown to a person."""


class ConfigError(OverlayError):
    """The network config, or an option of it, cannot be used."""


class LeaseError(OverlayError):
    """A lease key or value cannot be understood, or must not be acted upon."""


class PoolExhaustedError(LeaseError):
    """No free subnet is left between SubnetMin and SubnetMax."""


class StoreError(OverlayError):
    """etcd could not be asked, or refused."""


class KernelError(OverlayError):
    """The kernel refused a change, or an interface that is needed is not there."""
