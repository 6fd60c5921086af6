# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 forwarding, without which the kernel drops every packet between a container and another host."""

from __future__ import annotations

from pathlib import Path

from ..model.errors import KernelError

_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
_WAY_OUT = "run: sysctl -w net.ipv4.ip_forward=1, and put it in /etc/sysctl.d to last"


def forwarding_enabled() -> bool:
    """Return whether net.ipv4.ip_forward is on in this network namespace; raise KernelError if it cannot be read."""
    try:
        return _SWITCH.read_text().strip() != "0"
    except OSError as error:
        raise KernelError(f"net.ipv4.ip_forward cannot be read: {error}; is /proc mounted?") from error


def enable_forwarding() -> bool:
    """Switch forwarding on; return whether it was off before; raise KernelError with the way out where that fails."""
    if forwarding_enabled():
        return False
    try:
        _SWITCH.write_text("1")
    except OSError as error:
        raise KernelError(
            f"net.ipv4.ip_forward is 0 and cannot be set from here ({error.strerror}): "
            f"containers would not reach other hosts; on the host {_WAY_OUT}"
        ) from error
    return True
