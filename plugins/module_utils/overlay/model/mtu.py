# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The MTU that a backend leaves for containers."""

from __future__ import annotations

from typing import Any

from .errors import ConfigError
from .values import whole_number

MINIMUM_MTU = 576  # bytes that every IPv4 host must accept (RFC 791, section 3.1)
MAXIMUM_MTU = 65535


def path_mtu(name: str, value: Any, overhead: int) -> int | None:
    """Return the option MTU of a backend with this overhead (bytes), None if it is not set; raise ConfigError."""
    if whole_number(name, value, 0, MAXIMUM_MTU) == 0:
        return None  # flannel's config structure writes 0 if MTU is not set
    return whole_number(name, value, MINIMUM_MTU + overhead, MAXIMUM_MTU)


def inner_mtu(underlay_mtu: int, overhead: int = 0, path: int | None = None) -> int:
    """Return the MTU of containers in bytes; ``path`` is the option MTU. Raise ConfigError if it is unusable."""
    if path is not None and path > underlay_mtu:
        raise ConfigError(
            f"Backend MTU {path} is larger than the {underlay_mtu} bytes of the underlay interface; "
            f"remove MTU from the network config or raise the interface's MTU"
        )
    mtu = (underlay_mtu if path is None else path) - overhead
    if mtu < MINIMUM_MTU:
        raise ConfigError(
            f"overlay MTU {mtu} is below {MINIMUM_MTU} bytes, the minimum of IPv4; "
            f"raise the MTU of the underlay interface"
        )
    return mtu
