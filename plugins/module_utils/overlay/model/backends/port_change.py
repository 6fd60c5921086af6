# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a changed Port of a backend costs, whose leases do not contain the port."""

from __future__ import annotations

from . import BackendOptions

_NO_PORT_IN_LEASES = ("vxlan", "udp")


def port_loss(old: BackendOptions, new: BackendOptions) -> str | None:
    """Return a sentence about the packets that are lost while the hosts follow a changed port, None if none are."""
    before, after = old._asdict(), new._asdict()
    if old.type != new.type or old.type not in _NO_PORT_IN_LEASES or before.get("vni") != after.get("vni"):
        return None
    if before["port"] == after["port"]:
        return None
    hint = "; to avoid this, change VNI in the same run" if old.type == "vxlan" else ""
    return (
        f"packets between a host with Port {before['port']} and a host with Port {after['port']} are lost until both "
        f"have the new one, because leases do not contain the port{hint}"
    )
