# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who this host is to the others: its public address, the MAC of its tunnel device, what it was known by before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..backends import backend_for
from ..kernel.host_networks import read_host_networks
from ..kernel.netlink.interfaces import links
from ..kernel.netlink.rtnetlink import Netlink
from ..kernel.underlay import choose_underlay
from ..kernel.vxlan import KIND
from ..model.addresses import Subnet, format_ipv4, format_mac, parse_ipv4
from ..model.backend import HostGwOptions, VxlanOptions
from ..model.errors import ConfigError, KernelError
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.overlap import Reserved, network_problems
from ..model.state import Underlay
from .claim import Claim
from .former import Held, former_host
from .memory import Memory


class HostSettings(NamedTuple):
    """What the operator decided about this host: the underlay, the public address, where the files are.

    ``endpoints`` are etcd's client URLs, which no lease may cut off.
    """

    iface: Sequence[str]
    iface_regex: Sequence[str]
    iface_can_reach: str
    public_ip: str
    subnet_file: Path
    memory_file: Path
    endpoints: Sequence[str]


class Identity:
    """Gives the same answer for as long as the process lives, so that a device created again keeps its MAC."""

    def __init__(self, settings: HostSettings, memory: Memory | None) -> None:
        """Choose the underlay by the settings; ``memory`` is what the host knew before. Raise KernelError."""
        self._settings = settings
        self._former = former_host(memory, settings.memory_file, settings.subnet_file)
        self._held = self._former.held
        self._networks = set(self._former.networks)
        self._macs: dict[str, bytes] = {}
        self.underlay, self.public_ip = self._choose()

    @property
    def public_ip_text(self) -> str:
        """The public address as text."""
        return format_ipv4(self.public_ip)

    @property
    def known_address(self) -> int:
        """The public address in this host's lease as last seen in etcd, which may be a former one."""
        known = self._held[0].public_ip if self._held else None
        return self.public_ip if known is None else known

    def former_subnet(self, config: NetworkConfig) -> Subnet | None:
        """Return the subnet this host had last, an older one where that does not fit the config; None for none."""
        held = self._former_lease(config)
        return held.subnet if held else None

    def known_as(self, lease: SubnetLease) -> None:
        """Take note of the lease that this host has now, so that it is claimed again should it get lost."""
        self._held = (Held(lease.subnet, lease.public_ip),)

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
        """Return the MAC for the tunnel device, None without one; the same MAC at each call.

        It is the remembered one, else the device's own, else a new one. The device's own comes first where another
        program used the device after overlayd (see former.py): the other hosts send to that MAC.
        """
        if not isinstance(config.backend, VxlanOptions):
            return None
        name = config.backend.device_name
        if name not in self._macs:
            remembered = dict(self._former.macs).get(name)
            mac = _mac_of(name) or remembered if self._former.device_wins else remembered or _mac_of(name)
            self._macs[name] = mac or random_mac()
        return self._macs[name]

    def adopt_mac(self, config: NetworkConfig, mac: bytes) -> None:
        """Take the MAC for the tunnel device that other hosts were told; without a device there is nothing to take."""
        if isinstance(config.backend, VxlanOptions):
            self._macs[config.backend.device_name] = mac

    def claim(self, config: NetworkConfig) -> Claim:
        """Return what the host's lease should say under this config; raise ConfigError where it cannot take part."""
        if config.network.has(self.public_ip) or config.network.has(self.underlay.address):
            raise ConfigError(
                f"Network {config.network}: this host's own address {self.public_ip_text} on {self.underlay.name} "
                f"lies inside; choose a range in which no host has its address"
            )
        if isinstance(config.backend, HostGwOptions) and self.public_ip != self.underlay.address:
            raise ConfigError(
                f"Backend host-gw: the public IP {self.public_ip_text} is not the address of {self.underlay.name}, "
                f"{format_ipv4(self.underlay.address)}, which other hosts route to; remove --public-ip or use vxlan"
            )
        backend = backend_for(config, self.underlay, None, self.mac_for(config))
        if config.network not in self._networks:
            for problem in self.overlaps(config):
                raise ConfigError(problem)
            self._networks.add(config.network)
        subnet, public_ip = self._former_lease(config) or (None, None)
        macs = frozenset(map(format_mac, (*dict(self._former.macs).values(), *self._macs.values())))
        return Claim(self.public_ip, backend.type, backend.lease_data(), subnet, public_ip, macs)

    def overlaps(self, config: NetworkConfig) -> list[str]:
        """Return a sentence for each overlap of the overlay with the host's own networks (model/overlap.py)."""
        own = self._held[0].subnet if self._held else None
        return network_problems(config, read_host_networks(self._endpoints()), self.underlay.name, own)

    def reserved(self, config: NetworkConfig, own: Subnet) -> Reserved:
        """Return the addresses that no other host's lease may take from this one, whose subnet is ``own``."""
        return Reserved.of(config, read_host_networks(self._endpoints()), own)

    def _former_lease(self, config: NetworkConfig) -> Held | None:
        newest = self._held[0] if self._held else None
        return next((held for held in self._held if config.fits(held.subnet)), newest)

    def _endpoints(self) -> list[int]:
        """Return the addresses of the etcd endpoints, less those given as host names."""
        found: list[int] = []
        for endpoint in self._settings.endpoints:
            with suppress(ValueError):
                found.append(parse_ipv4(endpoint.rpartition("//")[2].partition(":")[0].strip()))
        return found

    def _choose(self) -> tuple[Underlay, int]:
        return choose_underlay(*self._settings[:4])


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
