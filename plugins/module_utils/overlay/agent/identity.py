# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who this host is to the others: its public address, the MAC of its tunnel device, what it was known by before."""

from __future__ import annotations

import os

from ..backends import backend_for
from ..kernel.links import links
from ..model.network import NetworkConfig
from ..model.state import Underlay
from .keeper import Claim
from .memory import Memory


class Identity:
    """Gives the same answer for as long as the process lives, so that a re-made device keeps its MAC."""

    def __init__(self, underlay: Underlay, public_ip: int, memory: Memory | None) -> None:
        """Speak for the host behind this underlay; ``memory`` is what it knew before this start."""
        self.underlay = underlay
        self.public_ip = public_ip
        self._memory = memory
        self._macs: dict[str, bytes] = {}
        if memory is not None and memory.device:
            mac = memory.own_mac()
            if mac:
                self._macs[memory.device] = mac

    def mac(self, device: str) -> bytes:
        """Return the MAC for a tunnel device: remembered, else that of the device that is there, else a new one."""
        if device not in self._macs:
            found = next((link.mac for link in links() if link.name == device and link.kind == "vxlan"), None)
            self._macs[device] = found or random_mac()
        return self._macs[device]

    def claim(self, config: NetworkConfig) -> Claim:
        """Return what the host's lease should say under this config."""
        backend = backend_for(config, self.underlay, None, self.mac(device_name(config)))
        memory = self._memory
        return Claim(
            public_ip=self.public_ip,
            backend_type=config.backend.type,
            backend_data=backend.lease_data(),
            previous_subnet=memory.own_subnet() if memory else None,
            previous_public_ip=memory.own_address() if memory else None,
        )


def random_mac() -> bytes:
    """Return a random locally administered unicast MAC address (IEEE 802, section 8.4)."""
    first, *rest = os.urandom(6)
    return bytes([(first & 0xFC) | 0x02, *rest])
