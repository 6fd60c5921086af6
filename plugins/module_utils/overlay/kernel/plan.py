# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kernel should hold, what it holds, and the steps from the one to the other: a comparison of maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..model.addresses import Subnet, format_ipv4
from ..model.collector import collector_at_rest
from ..model.state import FdbEntry, Neighbour, PeerRows, Route, VxlanDevice
from .steps import (
    AddAddress,
    AddRoute,
    AddUnreachable,
    AdoptRoute,
    ChangeRoute,
    CreateDevice,
    DeleteDevice,
    RemoveAddress,
    RemoveFdb,
    RemoveNeighbour,
    RemoveNextHop,
    RemoveRoute,
    RemoveStray,
    SetFdb,
    SetMac,
    SetMtu,
    SetNeighbour,
    SetTunnel,
    SetUp,
    Step,
    StrayRoute,
)

HOST_LENGTH = 32  # the tunnel device's address stands alone, so that it brings no route for the whole overlay along


class DesiredState(NamedTuple):
    """The device (None where the backend needs none) and the rows of all peers, or of those that changed.

    ``unreachable`` is the network whose unleased part is to be unreachable, None for none. ``leave_unreachable`` says
    that it is not known whether there should be such a route: one that exists is then left untouched.
    """

    device: VxlanDevice | None = None
    routes: Mapping[Subnet, Route] = {}
    neighbours: Mapping[int, Neighbour] = {}
    fdb: Mapping[bytes, FdbEntry] = {}
    unreachable: Subnet | None = None
    leave_unreachable: bool = False

    @classmethod
    def of(cls, device: VxlanDevice | None, peers: Iterable[PeerRows]) -> DesiredState:
        """Return the state that holds a device and the rows of these peers, with or without an unreachable route."""
        routes: dict[Subnet, Route] = {}
        neighbours: dict[int, Neighbour] = {}
        fdb: dict[bytes, FdbEntry] = {}
        for route, neighbour, entry in peers:
            routes[route.subnet] = route
            if neighbour is not None:
                neighbours[neighbour.address] = neighbour
            if entry is not None:
                fdb[entry.mac] = entry
        return cls(device, routes, neighbours, fdb, leave_unreachable=True)


class FoundDevice(NamedTuple):
    """A vxlan device as it is: ``device.address`` means nothing here, ``addresses`` are pairs (address, length)."""

    device: VxlanDevice
    up: bool
    addresses: tuple[tuple[int, int], ...]


class ForeignRoute(NamedTuple):
    """A route of somebody else on a subnet we want; device and gateway are empty and 0 where it has none.

    ``is_flannels`` is set for a route of the very shape and protocol (boot) in which every release of flanneld leaves
    its routes. Such a route is adopted where it is exactly the one that a live lease needs, at each full comparison:
    it then changes and goes with its lease. `ip route add` without a protocol makes the same shape, so a route typed
    by hand is adopted too where it is exactly the wanted one. Routes of every other protocol (static, dhcp, bgp, ...)
    are never adopted.
    """

    route: Route
    protocol: int
    is_flannels: bool = False

    def does_the_job_of(self, wanted: Route) -> bool:
        """Whether packets go the wanted way by it."""
        return (self.route.gateway, self.route.device) == (wanted.gateway, wanted.device)

    def __str__(self) -> str:
        subnet, gateway, device, _unused = self.route
        via = f" via {format_ipv4(gateway)}" if gateway else ""
        return f"{subnet}{via} dev {device}" if device else f"{subnet}{via}"


class ObservedState(NamedTuple):
    """What of ours the kernel holds, strays included, and what of others stands in the way of a wanted route."""

    device: FoundDevice | None = None
    routes: Mapping[Subnet, Route] = {}
    neighbours: Mapping[int, Neighbour] = {}
    fdb: Mapping[bytes, FdbEntry] = {}
    leftovers: tuple[str, ...] = ()
    stray_routes: tuple[StrayRoute, ...] = ()
    stray_fdb: tuple[FdbEntry, ...] = ()
    stray_next_hops: tuple[int, ...] = ()
    unreachable: StrayRoute | None = None
    foreign_routes: Mapping[Subnet, ForeignRoute] = {}

    @classmethod
    def of(cls, state: DesiredState) -> ObservedState:
        """Return what would be observed had this state been reached: lets an event be planned without a look."""
        device = state.device and FoundDevice(state.device, True, ((state.device.address, HOST_LENGTH),))
        return cls(device, state.routes, state.neighbours, state.fdb)


class Plan(NamedTuple):
    """The steps in order, and a sentence for each wanted route that somebody else's route keeps from being made."""

    steps: tuple[Step, ...] = ()
    conflicts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)


@collector_at_rest()
def plan(desired: DesiredState, observed: ObservedState) -> Plan:
    """Return the steps from what is to what should be.

    The device comes first, then what is in the way, then new rows in the order neighbour, FDB, route, so that a route
    never leads where a packet cannot go on; then stale rows in the reverse order, and devices no longer wanted.
    """
    surplus = _surplus_addresses(desired.device, observed.device)
    device_steps, observed = _plan_device(desired.device, observed)
    routes, stale_routes, conflicts = _plan_routes(desired.routes, observed)
    steps: list[Step] = device_steps
    steps += map(RemoveStray, observed.stray_routes)
    steps += map(RemoveNextHop, observed.stray_next_hops)
    steps += map(RemoveFdb, observed.stray_fdb)
    if desired.neighbours != observed.neighbours:
        held = observed.neighbours
        steps += [SetNeighbour(row) for key, row in desired.neighbours.items() if held.get(key) != row]
    if desired.fdb != observed.fdb:
        steps += [SetFdb(row) for key, row in desired.fdb.items() if observed.fdb.get(key) != row]
    steps += routes
    steps += surplus
    steps += stale_routes
    steps += _unreachable_steps(desired, observed.unreachable)
    steps += [RemoveFdb(row) for key, row in observed.fdb.items() if key not in desired.fdb]
    steps += [RemoveNeighbour(row) for key, row in observed.neighbours.items() if key not in desired.neighbours]
    steps += map(DeleteDevice, observed.leftovers)
    return Plan(tuple(steps), tuple(conflicts))


def _plan_device(wanted: VxlanDevice | None, observed: ObservedState) -> tuple[list[Step], ObservedState]:
    """Return the steps for the device, and what of the observed state is still there behind them."""
    found = observed.device
    if wanted is None:
        return [], observed
    if found is None:
        return _creation(wanted), observed
    if _must_be_replaced(wanted, found):
        return [DeleteDevice(wanted.name), *_creation(wanted)], _without_device(observed, wanted.name)
    steps = _mending(wanted, found)
    if found.device.mac != wanted.mac:
        observed = observed._replace(neighbours={})
    return steps, observed


def _creation(wanted: VxlanDevice) -> list[Step]:
    return [CreateDevice(wanted), AddAddress(wanted.name, wanted.address, HOST_LENGTH), SetUp(wanted.name)]


def _mending(wanted: VxlanDevice, found: FoundDevice) -> list[Step]:
    """Return the steps for what can be changed on a living vxlan device."""
    name, steps = wanted.name, list[Step]()
    if (found.device.underlay, found.device.local, found.device.learning) != (
        wanted.underlay,
        wanted.local,
        wanted.learning,
    ):
        steps.append(SetTunnel(wanted))
    if found.device.mac != wanted.mac:
        steps.append(SetMac(name, wanted.mac))
    if found.device.mtu != wanted.mtu:
        steps.append(SetMtu(name, wanted.mtu))
    own = (wanted.address, HOST_LENGTH)
    if own not in found.addresses:
        steps.append(AddAddress(name, *own))
    if not found.up:
        steps.append(SetUp(name))
    return steps


def _surplus_addresses(wanted: VxlanDevice | None, found: FoundDevice | None) -> list[Step]:
    """Return the removal of addresses that the device should not have.

    It follows the own address, as the kernel removes all routes of a device together with its last address; and the
    peers' routes, as with flannel up to 0.8 the address brings the one route to all peers.
    """
    if wanted is None or found is None or _must_be_replaced(wanted, found):
        return []
    own = (wanted.address, HOST_LENGTH)
    return [RemoveAddress(wanted.name, *other) for other in found.addresses if other != own]


def _must_be_replaced(wanted: VxlanDevice, found: FoundDevice) -> bool:
    return (found.device.vni, found.device.port, found.device.gbp) != (wanted.vni, wanted.port, wanted.gbp)


def _without_device(observed: ObservedState, name: str) -> ObservedState:
    """Return the observed state less everything that vanishes with a device."""
    return ObservedState(
        routes={subnet: route for subnet, route in observed.routes.items() if route.device != name},
        leftovers=observed.leftovers,
        stray_routes=tuple(route for route in observed.stray_routes if route.device != name),
        stray_next_hops=observed.stray_next_hops,
        unreachable=observed.unreachable,
        foreign_routes=observed.foreign_routes,
    )


def _plan_routes(wanted: Mapping[Subnet, Route], observed: ObservedState) -> tuple[list[Step], list[Step], list[str]]:
    """Return the steps that make or change routes, those that remove some, and the conflicts."""
    making: list[Step] = []
    conflicts: list[str] = []
    held, foreign = observed.routes, observed.foreign_routes
    if wanted != held:
        for subnet, route in wanted.items():
            old = held.get(subnet)
            if old == route:
                continue
            if old is not None:
                making.append(ChangeRoute(old, route))
            elif subnet not in foreign:
                making.append(AddRoute(route))
            elif not foreign[subnet].does_the_job_of(route):
                conflicts.append(_conflict(route, foreign[subnet]))
            elif foreign[subnet].is_flannels:
                making.append(AdoptRoute(route))
    removing: list[Step] = [
        RemoveRoute(route)
        for subnet, route in held.items()
        if subnet not in wanted and route.device not in observed.leftovers
    ]
    return making, removing, conflicts


def _unreachable_steps(desired: DesiredState, found: StrayRoute | None) -> list[Step]:
    """Return the step that adds the unreachable route, which comes after the routes to peers, or removes it."""
    if desired.unreachable is not None and found is None:
        return [AddUnreachable(desired.unreachable)]
    if desired.unreachable is None and found is not None and not desired.leave_unreachable:
        return [RemoveStray(found)]
    return []


def _conflict(wanted: Route, other: ForeignRoute) -> str:
    return (
        f"{wanted} cannot be made: the route {other} (proto {other.protocol}) is there and not ours; "
        f"remove what sets it, then run: ip route delete {other}"
    )
