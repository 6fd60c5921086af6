# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Overlaps of an overlay network with the host's own networks. No I/O.

The overlay has a route to each leased subnet, and this route overrides all less specific routes. It does harm if it
diverts traffic that has another destination today. ``network_problems`` checks the subnets that may be leased: the
range from SubnetMin to SubnetMax (the pool). These overlaps are refused:

1. An interface of the host has an address in the pool.
2. A connected network shares an address with the pool, whichever of the two is wider: hosts in that network answer to
   ARP, so two hosts would have one address. A wider network on a point-to-point device (a VPN) counts as a static
   route.
3. A static route is equal to Network or more specific, and shares an address with the pool.
4. The gateway of a default route or an etcd endpoint has an address in the pool.

All other overlaps are normal or harmless, and accepted:

- the default route, and static routes that are less specific than Network (a VPN's 10.0.0.0/8 around 10.50.0.0/16);
- addresses in Network outside of the pool, because no host leases them;
- addresses in this host's own subnet: its bridges and containers;
- the networks of the overlay's devices (``flannel*``), and of Docker's bridges (``docker0``, ``docker_gwbridge``,
  ``br-`` and twelve hexadecimal digits), which follow the overlay or are chosen by Docker;
- a route to one leasable subnet via a gateway on the underlay interface: flannel's host-gw leaves such routes. If it
  prevents the agent's own route, the agent reports a conflict.

A host that already takes part in the network is not disconnected for an overlap: it reports the overlap. On such a host
``Reserved`` still excludes each single lease that contains a connected network, an address of the host, a default
gateway or an etcd endpoint. A connected network around the whole pool is not reserved: the fleet runs with that
overlap, and would lose all routes at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from ..named_tuple import NamedTuple
from .addresses import ADDRESS_BITS, Subnet, format_ipv4
from .errors import LeaseError
from .lease import SubnetLease
from .network import NetworkConfig
from .setting_names import JSON_KEYS, SettingNames

_DOCKERS_BRIDGES = ("docker0", "docker_gwbridge")
_DOCKERS_NAME_LENGTH = 15  # of a bridge that Docker creates: br- and twelve digits of the network's id


class HostAddress(NamedTuple):
    """An IPv4 address (integer) of an interface."""

    address: int
    device: str


class HostRoute(NamedTuple):
    """A unicast route of the main table; ``gateway`` is 0 and ``device`` is "" if it has none.

    ``connected`` is true for the network of an interface's own address, unless the device is point-to-point.
    """

    network: Subnet
    device: str
    gateway: int = 0
    connected: bool = False

    def __str__(self) -> str:
        via = f" via {format_ipv4(self.gateway)}" if self.gateway else ""
        return f"{self.network}{via} dev {self.device}" if self.device else f"{self.network}{via}"


class HostNetworks(NamedTuple):
    """A host's own networks: its addresses, its routes, and the addresses of its etcd endpoints (integers)."""

    addresses: tuple[HostAddress, ...] = ()
    routes: tuple[HostRoute, ...] = ()
    endpoints: tuple[int, ...] = ()


class Range(NamedTuple):
    """Addresses that a host needs, and their use in words."""

    subnet: Subnet
    what: str


def network_problems(
    config: NetworkConfig,
    host: HostNetworks,
    underlay: str,
    own: Subnet | None = None,
    names: SettingNames = JSON_KEYS,
) -> list[str]:
    """Return a sentence for each overlap that is refused by the rules above.

    ``underlay`` is the name of the underlay interface; ``own`` is this host's subnet if it is known. ``names`` are the
    names of the settings in the sentences.
    """
    ranges = [*_needed(host, own)]
    ranges += [
        Range(route.network, f"the static route {route}")
        for route in host.routes
        if _takes_from(config, route, underlay, own)
    ]
    where = f"{names.network} {config.network}, subnets from {config.subnet_min} to {config.subnet_max}"
    found = {one.what: one.subnet for one in ranges if _in_pool(one.subnet, config)}
    return [
        f"{where}: overlaps {what}, which the overlay would divert on this host; choose another {names.network}"
        + ("" if subnet.covers(config.network) else f", or {names.subnet_min} and {names.subnet_max} that exclude it")
        for what, subnet in found.items()
    ]


class Reserved:
    """Addresses of this host that leases of other hosts must not contain; a look-up costs O(log n)."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        """Reserve these ranges; of two that overlap, the wider one is kept."""
        self._ranges: list[Range] = []
        for one in sorted(ranges):
            if not (self._ranges and self._ranges[-1].subnet.covers(one.subnet)):
                self._ranges.append(one)
        self._firsts = [one.subnet.first for one in self._ranges]

    @classmethod
    def of(cls, config: NetworkConfig, host: HostNetworks, own: Subnet) -> Reserved:
        """Return the reserved addresses of a host with this subnet, by the rules above."""
        return cls(one for one in _needed(host, own) if not _around_pool(one.subnet, config))

    def check(self, lease: SubnetLease) -> None:
        """Raise LeaseError if the lease contains a reserved address."""
        position = bisect_right(self._firsts, lease.subnet.last) - 1
        if position < 0 or not self._ranges[position].subnet.overlaps(lease.subnet):
            return
        raise LeaseError(
            f"lease {lease.key}: not routed: subnet {lease.subnet} overlaps {self._ranges[position].what} of this "
            f"host; let host {format_ipv4(lease.public_ip)} lease another subnet"
        )


def _needed(host: HostNetworks, own: Subnet | None) -> Iterable[Range]:
    """Yield the ranges that the host needs, without static routes and without its own subnet."""
    for one in _all_needed(host):
        if own is None or not own.covers(one.subnet):
            yield one


def _all_needed(host: HostNetworks) -> Iterable[Range]:
    for route in host.routes:
        if route.connected and not is_exempt(route.device):
            yield Range(route.network, f"the connected network {route}")
        if not route.network.length and route.gateway:
            yield _single(route.gateway, f"the default gateway {format_ipv4(route.gateway)}")
    for address, device in host.addresses:
        if not is_exempt(device):
            yield _single(address, f"the address {format_ipv4(address)} on {device}")
    for address in host.endpoints:
        yield _single(address, f"the etcd endpoint {format_ipv4(address)}")


def _single(address: int, what: str) -> Range:
    return Range(Subnet(address, ADDRESS_BITS), what)


def is_exempt(device: str) -> bool:
    """Whether a device belongs to the overlay or to Docker."""
    if device.startswith("br-") and len(device) == _DOCKERS_NAME_LENGTH:
        return not device[3:].strip("0123456789abcdef")
    return device.startswith("flannel") or device in _DOCKERS_BRIDGES


def _takes_from(config: NetworkConfig, route: HostRoute, underlay: str, own: Subnet | None) -> bool:
    """Return whether a route is a static route in Network that is not of the overlay, Docker or flannel's host-gw."""
    return not (
        route.connected
        or not config.network.covers(route.network)
        or is_exempt(route.device)
        or (own is not None and own.covers(route.network))
        or _is_host_gw(route, config, underlay)
    )


def _is_host_gw(route: HostRoute, config: NetworkConfig, underlay: str) -> bool:
    return bool(route.gateway) and route.device == underlay and config.fits(route.network)


def _in_pool(subnet: Subnet, config: NetworkConfig) -> bool:
    return subnet.first <= config.subnet_max.last and subnet.last >= config.subnet_min.first


def _around_pool(subnet: Subnet, config: NetworkConfig) -> bool:
    return subnet.first <= config.subnet_min.first and subnet.last >= config.subnet_max.last
