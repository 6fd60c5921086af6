# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 forwarding, without which the kernel drops every packet between a container and another host."""

from __future__ import annotations

from pathlib import Path

_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
_OFF = (
    "net.ipv4.ip_forward is 0, so no packet passes between containers and other hosts; "
    "run: sysctl -w net.ipv4.ip_forward=1, and put that line in a file in /etc/sysctl.d so that it lasts"
)


def forwarding_problem() -> str | None:
    """Return why this network namespace does not forward packets and what to do, as a sentence; None if it does."""
    try:
        return _OFF if _SWITCH.read_text().strip() == "0" else None
    except OSError as error:
        return f"{_SWITCH} cannot be read ({error.strerror}), so it is not known whether packets are forwarded"
