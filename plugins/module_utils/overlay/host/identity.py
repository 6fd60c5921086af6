# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""This host's identity for its peers: public IP, underlay, MAC of the tunnel device, former subnet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import OwnEnd, lease_data
from ..kernel.host_networks import read_host_networks
from ..kernel.netlink.interfaces import link, links
from ..kernel.netlink.rtnetlink import Netlink, NetlinkError
from ..kernel.tables.vxlan_device import KIND
from ..kernel.underlay import choose_underlay
from ..model.addresses import Subnet, format_ipv4, format_mac, parse_ipv4
from ..model.backends import EXTENSION, UNNAMED
from ..model.errors import ConfigError, KernelError
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.overlap import Reserved, network_problems
from ..model.underlay import Underlay
from ..named_tuple import NamedTuple
from .claim import Claim
from .former import Held, former_host
from .memory import DEFAULT_STATE_DIR, Memory

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_device import WireguardEnd

# As in model/backends/wireguard.py, which most hosts do not import.
WIREGUARD, WIREGUARD_DEVICE, WIREGUARD_KEY = "wireguard", "flannel-wg", "wireguard.key"


class HostSettings(NamedTuple):
    """The operator's settings of this host: underlay, public IP and paths of files.

    ``endpoints`` are etcd's client URLs, which no lease may make unreachable.
    """

    iface: Sequence[str]
    iface_regex: Sequence[str]
    iface_can_reach: str
    public_ip: str
    subnet_file: Path
    memory_file: Path
    endpoints: Sequence[str]

    @property
    def state_folder(self) -> Path:
        """The folder of the memory file, overlayd's own if there is none."""
        return self.memory_file.parent if self.memory_file.name else Path(DEFAULT_STATE_DIR)


class Identity:
    """The identity of this host, constant for the life of the process: a device that is created again keeps its MAC."""

    def __init__(
        self, settings: HostSettings, memory: Memory | None, commands: Callable[[Any], str] | None = None
    ) -> None:
        """Choose the underlay by the settings; ``memory`` is the memory file's content. Raise KernelError.

        ``commands`` returns the BackendData of the extension backend for its options, None if commands are not run.
        """
        self._commands = commands
        self._settings = settings
        self._former = former_host(memory, settings.memory_file, settings.subnet_file)
        self._held = self._former.held
        self._networks = set(self._former.networks)
        self._macs: dict[str, bytes] = {}
        self.keeps_key = True  # False: a new WireGuard key is not stored (check mode)
        self._wireguard: WireguardEnd | None = None
        self._published: Mapping[str, Any] | None = None
        self._knows_published = False
        self._is_copy = memory is None and settings.memory_file.is_file()
        self.served: tuple[NetworkConfig, Subnet] | None = None
        self.underlay, self.public_ip = self._choose()

    @property
    def public_ip_text(self) -> str:
        """The public IP as text."""
        return format_ipv4(self.public_ip)

    @property
    def former_mtu(self) -> int | None:
        """The MTU in the subnet file when this process started, None without one."""
        return self._former.mtu

    @property
    def known_address(self) -> int:
        """The public IP in this host's lease when it was last read from etcd; it may be a former one."""
        known = self._held[0].public_ip if self._held else None
        return self.public_ip if known is None else known

    def former_subnet(self, config: NetworkConfig) -> Subnet | None:
        """Return this host's newest former subnet that fits the config, else its newest one; None if it had none."""
        held = self._former_lease(config)
        return held.subnet if held else None

    def known_as(self, lease: SubnetLease) -> None:
        """Record the lease that this host holds now, so that it claims the same subnet if the lease is lost."""
        self._held = (Held(lease.subnet, lease.public_ip),)

    def serve(self, config: NetworkConfig, subnet: Subnet) -> None:
        """Record the network and the own subnet that this process programs; any other one needs a re-exec first."""
        self.served = config, subnet

    def underlay_change(self) -> str | None:
        """Return the change of the underlay in words, None if it is unchanged or cannot be read at the moment."""
        try:
            underlay, public_ip = self._choose()
        except KernelError:
            return None
        if (underlay, public_ip) == (self.underlay, self.public_ip):
            return None
        return f"the underlay changed from {_words(self.underlay, self.public_ip)} to {_words(underlay, public_ip)}"

    def mac_for(self, config: NetworkConfig) -> bytes | None:
        """Return the MAC for the tunnel device, the same at each call; None for a backend without a device.

        It is the MAC in the memory file, else the MAC of the existing device, else a new random one. The existing
        device comes first if another program used it after overlayd (see former.py): peers send to that MAC.
        """
        if not config.backend.has_mac:
            return None
        name = config.backend.device_name
        if name not in self._macs:
            remembered = dict(self._former.macs).get(name)
            mac = _mac_of(name) or remembered if self._former.device_wins else remembered or _mac_of(name)
            self._macs[name] = mac or random_mac()
        return self._macs[name]

    def wireguard_end(self) -> WireguardEnd:
        """Return this host's WireGuard key, the same at each call; raise OverlayError if it cannot be stored."""
        if self._wireguard is None:
            from .wireguard import wireguard_end  # most hosts do not need it

            folder = self._settings.state_folder
            self._wireguard = wireguard_end(folder, is_foreign=self._is_copy, keep=self.keeps_key)
        return self._wireguard

    @property
    def published(self) -> Mapping[str, Any] | None:
        """Key and port of this host's WireGuard device, which its lease contains whatever its backend is; else None.

        At first those of the device that a former process left.
        """
        if not self._knows_published:
            self.publish(_left_key())
        return self._published

    def publish(self, data: Mapping[str, Any] | None) -> None:
        """Record what ``published`` returns from now on."""
        self._published, self._knows_published = data, True

    def end_for(self, config: NetworkConfig) -> OwnEnd:
        """Return this host's end of the tunnels of a config: a WireGuard key, a MAC, or None."""
        return self.wireguard_end() if config.backend.type == WIREGUARD else self.mac_for(config)

    def adopt_mac(self, config: NetworkConfig, mac: bytes) -> None:
        """Use this MAC, which is in the lease, for the tunnel device; ignored for a backend without a device."""
        if config.backend.has_mac:
            self._macs[config.backend.device_name] = mac

    def claim(self, config: NetworkConfig) -> Claim:
        """Return this host's claim under a config; raise ConfigError if the host cannot take part in the network."""
        if config.network.has(self.public_ip) or config.network.has(self.underlay.address):
            raise ConfigError(
                f"Network {config.network} contains this host's own address {self.public_ip_text} on "
                f"{self.underlay.name}; choose a network that contains no address of a host"
            )
        config.backend.check_host(self.underlay, self.public_ip)  # raises ConfigError
        config.backend.overlay_mtu(self.underlay.mtu)  # raises ConfigError
        data = self._lease_data(config)
        if config.network not in self._networks:
            for problem in self.overlaps(config):
                raise ConfigError(problem)
            self._networks.add(config.network)
        subnet, public_ip = self._former_lease(config) or (None, None)
        macs = frozenset(map(format_mac, (*dict(self._former.macs).values(), *self._macs.values())))
        kind = "" if config.backend.type in UNNAMED else config.backend.type
        return Claim(self.public_ip, kind, data, subnet, public_ip, macs)

    def _lease_data(self, config: NetworkConfig) -> Mapping[str, Any] | str | None:
        if config.backend.type == WIREGUARD:
            from .wireguard import check_wireguard

            check_wireguard()
        if config.backend.type != EXTENSION:
            data, more = lease_data(config.backend, self.end_for(config)), self.published
            return data if more is None or config.backend.type == WIREGUARD else {**(data or {}), **more}
        if self._commands is None:
            from .commands import not_permitted  # most networks have no commands

            raise ConfigError(not_permitted("Backend extension"))
        return self._commands(config.backend)

    def overlaps(self, config: NetworkConfig) -> list[str]:
        """Return a sentence for each overlap of the overlay with the host's own networks (see model/overlap.py)."""
        own = self._held[0].subnet if self._held else None
        return network_problems(config, read_host_networks(self._endpoints()), self.underlay.name, own)

    def reserved(self, config: NetworkConfig, own: Subnet) -> Reserved:
        """Return the addresses of this host that leases of other hosts must not contain; ``own`` is its subnet."""
        return Reserved.of(config, read_host_networks(self._endpoints()), own)

    def _former_lease(self, config: NetworkConfig) -> Held | None:
        newest = self._held[0] if self._held else None
        return next((held for held in self._held if config.fits(held.subnet)), newest)

    def _endpoints(self) -> list[int]:
        """Return the addresses of the etcd endpoints, without endpoints that are host names."""
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


def _left_key() -> Mapping[str, Any] | None:
    """Return key and port of the WireGuard device, None if there is none."""
    netlink = Netlink()
    try:
        link(netlink, WIREGUARD_DEVICE)
    except NetlinkError:
        return None
    finally:
        netlink.close()
    from .wireguard import published_data  # most hosts do not need it

    return published_data()


def _mac_of(device: str) -> bytes | None:
    netlink = Netlink()
    try:
        return next((link.mac for link in links(netlink) if link.name == device and link.kind == KIND), None)
    finally:
        netlink.close()


def _words(underlay: Underlay, public_ip: int) -> str:
    return f"{underlay.name} with {format_ipv4(underlay.address)}, MTU {underlay.mtu}, public {format_ipv4(public_ip)}"
