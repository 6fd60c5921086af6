# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tunnel devices that exist on this host, read once, before a desired state is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .netlink.interfaces import addresses, link_name, links
from .netlink.rtnetlink import Netlink
from .tables.address import HOST_LENGTH
from .tables.vxlan_device import KIND, VxlanDevice, read_vxlan

PREFIX = "flannel."  # and the VNI: the names of flannel's and our vxlan devices


class Tunnels(NamedTuple):
    """The vxlan devices named flannel.VNI; ``addresses`` by device are integers.

    ``others`` are the names of the other interfaces called flannel.*; ``rivals`` are the names of the other vxlan
    devices, by VNI and port.
    """

    devices: Mapping[str, VxlanDevice] = {}
    addresses: Mapping[str, frozenset[int]] = {}
    others: frozenset[str] = frozenset()
    rivals: Mapping[tuple[int, int], str] = {}

    def with_address(self, address: int) -> list[str]:
        """Return the names of the devices that have this address, as the tunnel devices of a subnet have its first."""
        return [name for name in self.devices if address in self.addresses[name]]

    def problem(self, name: str, vni: int, port: int) -> str | None:
        """Return why a vxlan device cannot be created or used, None if it can."""
        if name in self.others:
            return f"interface {name} exists and is not a vxlan device; rename or remove it"
        rival = self.rivals.get((vni, port))
        if rival is not None and name not in self.devices:
            return (
                f"device {rival} already has this VNI on port {port}; run `ip link delete {rival}` if nothing needs it"
            )
        return None


def read_tunnels(netlink: Netlink) -> Tunnels:
    """Return the tunnel devices of this network namespace."""
    found = links(netlink)
    names = {one.ifindex: one.name for one in found}
    devices: dict[str, VxlanDevice] = {}
    indexes: dict[int, str] = {}
    others: set[str] = set()
    rivals: dict[tuple[int, int], str] = {}
    for one in found:
        device = (
            read_vxlan(one, lambda index: names.get(index) or link_name(netlink, index)) if one.kind == KIND else None
        )
        if device is not None and one.name == f"{PREFIX}{device.vni}":
            devices[one.name] = device
            indexes[one.ifindex] = one.name
        elif device is not None:
            rivals[device.vni, device.port] = one.name
        if device is None and one.name.startswith(PREFIX):
            others.add(one.name)
    held: dict[str, set[int]] = {name: set() for name in devices}
    for address in addresses(netlink) if devices else ():
        if address.ifindex in indexes and address.length == HOST_LENGTH:
            held[indexes[address.ifindex]].add(address.address)
    return Tunnels(devices, {name: frozenset(one) for name, one in held.items()}, frozenset(others), rivals)
