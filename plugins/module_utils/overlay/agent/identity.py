# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who this host is to the others: its public address, the MAC of its tunnel device, what it was known by before."""

from __future__ import annotations

import os

from ..backends import backend_for
from ..kernel.interfaces import links
from ..kernel.netlink import Netlink
from ..kernel.underlay import choose_underlay
from ..kernel.vxlan import KIND
from ..model.addresses import format_ipv4
from ..model.backend import VxlanOptions
from ..model.errors import KernelError
from ..model.network import NetworkConfig
from ..model.state import Underlay
from .keeper import Claim
from .memory import Memory
from .options import Options


class Identity:
    """Gives the same answer for as long as the process lives, so that a re-made device keeps its MAC."""

    def __init__(self, options: Options, memory: Memory | None) -> None:
        """Choose the underlay as the options say; ``memory`` is what the host knew before. Raise KernelError."""
        self._options = options
        self._memory = memory
        self._macs: dict[str, bytes] = {}
        mac = memory.own_mac() if memory else None
        if memory is not None and mac is not None:
            self._macs[memory.device] = mac
        self.underlay, self.public_ip = self._choose()

    @property
    def public_ip_text(self) -> str:
        """The public address as text."""
        return format_ipv4(self.public_ip)

    def underlay_change(self) -> str | None:
        """Return in words what became of the underlay, None while it is as it was, or is away for a moment."""
        try:
            underlay, public_ip = self._choose()
        except KernelError:
            return None
        if (underlay, public_ip) == (self.underlay, self.public_ip):
            return None
        return f"the underlay was {_words(self.underlay, self.public_ip)} and is now {_words(underlay, public_ip)}"

    def mac_for(self, config: NetworkConfig) -> bytes | None:
        """Return the MAC for the tunnel device, None without one: remembered, else the device's own, else a new one."""
        if not isinstance(config.backend, VxlanOptions):
            return None
        name = config.backend.device_name
        if name not in self._macs:
            self._macs[name] = _mac_of(name) or random_mac()
        return self._macs[name]

    def claim(self, config: NetworkConfig) -> Claim:
        """Return what the host's lease should say under this config; raise ConfigError where it cannot take part."""
        backend = backend_for(config, self.underlay, None, self.mac_for(config))
        memory = self._memory
        return Claim(
            public_ip=self.public_ip,
            backend_type=backend.type,
            backend_data=backend.lease_data(),
            previous_subnet=memory.own_subnet() if memory else None,
            previous_public_ip=memory.own_address() if memory else None,
        )

    def _choose(self) -> tuple[Underlay, int]:
        options = self._options
        return choose_underlay(options.iface, options.iface_regex, options.iface_can_reach, options.public_ip)


def random_mac() -> bytes:
    """Return a random locally administered unicast MAC address (IEEE 802, section 8.4)."""
    first, *rest = os.urandom(6)
    return bytes([(first & 0xFC) | 0x02, *rest])


def _mac_of(device: str) -> bytes | None:
    netlink = Netlink()
    try:
        return next((link.mac for link in links(netlink) if link.name == device and link.kind == KIND), None)
    finally:
        netlink.close()


def _words(underlay: Underlay, public_ip: int) -> str:
    return f"{underlay.name} with {format_ipv4(underlay.address)}, MTU {underlay.mtu}, public {format_ipv4(public_ip)}"
