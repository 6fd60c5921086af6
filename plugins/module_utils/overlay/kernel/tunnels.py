# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tunnel devices that exist on this host, read once, before a desired state is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Optional

from ..named_tuple import NamedTuple
from .netlink.interfaces import Link, addresses, link_name, links
from .netlink.rtnetlink import Netlink, NetlinkError
from .tables.address import HOST_LENGTH
from .tables.device import Device
from .tables.vxlan_device import VxlanDevice, read_vxlan

PREFIX = "flannel"  # of the names of flannel's and our tunnel devices
Reader = Callable[[Link, Callable[[int], str]], Optional[Device]]


def _vxlan() -> Reader:
    return read_vxlan


def _wireguard() -> Reader:
    from .tables.wireguard_device import read_wireguard

    return lambda link, _unused: read_wireguard(link)


def _tun() -> Reader:
    from .tables.tun_device import read_tun
    from .tables.wireguard_device import read_wireguard

    return lambda link, name_of: read_tun(link, name_of) or read_wireguard(link)


def _ipip() -> Reader:
    from .tables.ipip_device import read_ipip

    return read_ipip


# How a device of each kind is read: the registration of the kinds of tunnel devices.
READERS: dict[str, Callable[[], Reader]] = {
    "vxlan": _vxlan,
    "ipip": _ipip,
    "wireguard": _wireguard,
    "tun": _tun,
}


class Tunnels(NamedTuple):
    """The tunnel devices with the names that overlayd and flannel give them; ``addresses`` by device are integers.

    ``others`` are the names of the other interfaces called flannel*; ``rivals`` are the devices of these kinds with
    other names.
    """

    devices: Mapping[str, Device] = {}
    addresses: Mapping[str, frozenset[int]] = {}
    others: frozenset[str] = frozenset()
    rivals: tuple[Device, ...] = ()

    def with_address(self, address: int) -> list[str]:
        """Return the names of the devices that have this address, as the tunnel devices of a subnet have its first."""
        return [name for name in self.devices if address in self.addresses[name]]

    def name_problem(self, name: str, kind: str) -> str | None:
        """Return why a device of this kind cannot have this name, None if it can."""
        if name in self.others or (name in self.devices and self.devices[name].kind != kind):
            return f"interface {name} exists and is not a {kind} device; rename or remove it"
        return None

    def vxlan_problem(self, name: str, vni: int, port: int) -> str | None:
        """Return why a vxlan device cannot be created or used, None if it can."""
        for rival in self.rivals if name not in self.devices else ():
            if isinstance(rival, VxlanDevice) and (rival.vni, rival.port) == (vni, port):
                return (
                    f"device {rival.name} already has this VNI on port {port}; run `ip link delete {rival.name}` if "
                    f"nothing needs it"
                )
        return self.name_problem(name, "vxlan")


def read_tunnels(netlink: Netlink) -> Tunnels:
    """Return the tunnel devices of this network namespace."""
    found = links(netlink)
    names = {one.ifindex: one.name for one in found}
    devices: dict[str, Device] = {}
    indexes: dict[int, str] = {}
    others: set[str] = set()
    rivals: list[Device] = []
    for one in found:
        device = _read(one, lambda index: names.get(index) or _name(netlink, index))
        if device is not None and device.standard_name == one.name:
            devices[one.name] = device
            indexes[one.ifindex] = one.name
        elif one.name.startswith(PREFIX):
            others.add(one.name)
        if device is not None and one.name not in devices:
            rivals.append(device)
    held: dict[str, set[int]] = {name: set() for name in devices}
    for address in addresses(netlink) if devices else ():
        if address.ifindex in indexes and address.length == HOST_LENGTH:
            held[indexes[address.ifindex]].add(address.address)
    return Tunnels(devices, {name: frozenset(one) for name, one in held.items()}, frozenset(others), tuple(rivals))


def _name(netlink: Netlink, ifindex: int) -> str:
    """Return the name of an interface, "" if it is in another network namespace."""
    try:
        return link_name(netlink, ifindex)
    except NetlinkError:
        return ""


def _read(link: Link, name_of: Callable[[int], str]) -> Device | None:
    reader = READERS.get(link.kind)
    return reader()(link, name_of) if reader is not None else None
