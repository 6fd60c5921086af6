# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes to the subnets of the peers (linux/rtnetlink.h).

Where the kernel has next-hop objects, each route uses one of its own (next_hop.py has the reasons).
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping

from ...model.addresses import Subnet, format_ipv4
from ...named_tuple import NamedTuple
from ..netlink.constants import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELROUTE,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTN_UNREACHABLE,
    RTPROT_BOOT,
    RTPROT_KERNEL,
)
from ..netlink.next_hops import HopRow
from ..netlink.routes import RouteRow, RouteWriter, dump_routes, main_table, read_route
from ..netlink.rtnetlink import KernelRefusal
from ..observation import Observation
from ..ownership import PROTOCOL
from ..state import DesiredState, Found, ObservedState
from ..step import Removal, Step, Wire
from ..table import Table, TableSteps
from .next_hop import add_hop, hop_identifier, remove_hop, set_hop
from .stray_route import RemoveStray, StrayRoute
from .unreachable import LAST_METRIC

_NEW = RouteWriter(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, PROTOCOL)
_ADOPTED = RouteWriter(RTM_NEWROUTE, NLM_F_REPLACE, PROTOCOL)
# Added after the old route, not in its place: by then, NLM_F_REPLACE might hit a route of another program.
_SECOND = RouteWriter(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, PROTOCOL)
_GONE = RouteWriter(RTM_DELROUTE, 0, PROTOCOL)
_GONE_WHATEVER_PROTOCOL = RouteWriter(RTM_DELROUTE, 0, 0)


class Route(NamedTuple):
    """A route to a peer's subnet; ``onlink`` where the gateway has no route of its own (vxlan).

    Gateway 0 is for a route without one, whose device finds the peer by the packet's destination (udp, wireguard).
    """

    subnet: Subnet
    gateway: int
    device: str
    onlink: bool

    @property
    def key(self) -> Subnet:
        """The subnet."""
        return self.subnet

    @property
    def way(self) -> str:
        """Subnet, gateway and device in the words of ``ip route``."""
        if not self.gateway:
            return f"{self.subnet} dev {self.device} scope link"
        onlink = " onlink" if self.onlink else ""
        return f"{self.subnet} via {format_ipv4(self.gateway)} dev {self.device}{onlink}"

    def __str__(self) -> str:
        return f"route {self.way}"


class ForeignRoute(NamedTuple):
    """A route of another program to a desired subnet; device and gateway are empty and 0 if it has none.

    ``is_flannels`` is set for a route with the shape and the protocol (boot) of flanneld's routes. If such a route is
    exactly the route that a lease needs, a full reconciliation adopts it. It is then changed and removed with its
    lease. `ip route add` without a protocol creates the same kind of route, so a route of an operator is adopted, too.
    Routes of another protocol (static, dhcp, bgp, ...) are never adopted.
    """

    route: Route
    protocol: int
    is_flannels: bool = False

    def is_equivalent_to(self, wanted: Route) -> bool:
        """Whether it has the wanted gateway and device."""
        return (self.route.gateway, self.route.device) == (wanted.gateway, wanted.device)

    def __str__(self) -> str:
        subnet, gateway, device, _unused = self.route
        via = f" via {format_ipv4(gateway)}" if gateway else ""
        return f"{subnet}{via} dev {device}" if device else f"{subnet}{via}"


class _RouteStep(NamedTuple):
    route: Route

    @property
    def key(self) -> Subnet:
        """The key of the row."""
        return self.route.subnet


class _RouteChange(NamedTuple):
    old: Route
    new: Route

    @property
    def key(self) -> Subnet:
        """The key of the row."""
        return self.new.subnet


class AddRoute(_RouteStep, Step):
    """Add a route to a subnet that has none."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route add {self.route.way} proto {PROTOCOL}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the next hop and the route, or a plain route."""
        subnet, gateway, device, onlink = self.route
        if not wire.by_hops:
            messages.append(_plain(_NEW, len(messages), self.route, wire))
            return
        hop = hop_identifier(subnet)
        messages.append(add_hop(len(messages), hop, gateway, wire.index[device], onlink))
        messages.append(_NEW.by_hop(len(messages), subnet.first, subnet.length, hop))

    def withdraw(self, answers: Mapping[int, KernelRefusal], wire: Wire, messages: list[bytes]) -> None:
        """Remove the next hop if only the route was refused."""
        if 0 not in answers:
            messages.append(remove_hop(len(messages), hop_identifier(self.route.subnet)))

    def explain(self, refusal: KernelRefusal) -> str:
        """Name the commands that show the object in the way."""
        look = f"look with `ip route show {self.route.subnet}`, `ip nexthop show`"
        taken = f"another program has a route or next hop there; {look}"
        return taken if refusal.errno == errno.EEXIST else refusal.message

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{self.route} was missing"


class AdoptRoute(_RouteStep, Step):
    """Replace the same route as flanneld left it by ours, in one step: no packet is without a route."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route replace {self.route.way} proto {PROTOCOL}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the request. The route stays a plain one: flanneld could not delete a route by a next hop."""
        messages.append(_plain(_ADOPTED, len(messages), self.route, wire))

    def explain(self, refusal: KernelRefusal) -> str:
        """Return the error; if the route no longer exists, the next reconciliation adds it."""
        gone = "the route that flannel left no longer exists; the next reconciliation adds it"
        return gone if refusal.errno == errno.ENOENT else refusal.message


class ChangeRoute(_RouteChange, Step):
    """Change the gateway or device of a route of ours, so that at every moment a route exists."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route change {self.new.way} proto {PROTOCOL}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the requests for the new way, then the removal of a plain route.

        The second by hops is refused (EEXIST) if the route uses the next hop already, and then all is done.
        """
        subnet, gateway, device, onlink = self.new
        if not wire.by_hops:
            new = _plain(_SECOND, len(messages), self.new, wire)
            messages += new, _plain(_remover(self.old), len(messages) + 1, self.old, wire)
            return
        hop = hop_identifier(subnet)
        old = _plain(_remover(self.old), len(messages) + 2, self.old, wire)
        messages.append(set_hop(len(messages), hop, gateway, wire.index[device], onlink))
        messages.append(_SECOND.by_hop(len(messages), subnet.first, subnet.length, hop))
        messages.append(old)

    def refusal(self, answers: Mapping[int, KernelRefusal]) -> KernelRefusal | None:
        """Return the first refusal; None for EEXIST, because the new route then exists."""
        first = answers[min(answers)]
        return None if first.errno == errno.EEXIST else first

    def withdraw(self, answers: Mapping[int, KernelRefusal], wire: Wire, messages: list[bytes]) -> None:
        """Remove the new route."""
        _encode_removal(self.new, wire, messages)

    def explain(self, refusal: KernelRefusal) -> str:
        """Return the error, with the reason if the old route does not exist."""
        gone = "the old route no longer exists; a route that another program added there is left untouched"
        return gone if refusal.errno == errno.ESRCH else refusal.message

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"{self.new}: it was {self.old}"


class RemoveRoute(_RouteStep, Removal):
    """Remove a route of ours, whether it is a plain route or uses a next hop."""

    __slots__ = ()
    kind = "routes"

    def __str__(self) -> str:
        return f"ip route delete {self.route.way}"

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the removal of the route in either form, and of its next hop."""
        _encode_removal(self.route, wire, messages)

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"removed {self.route}"


class Routes(Table[Route]):
    """The table of the routes to peers: those on our devices, and those with our protocol in the overlay network."""

    row = Route

    def observe(self, observation: Observation) -> Found:
        """Return our routes, strays among them, and the routes of others to desired subnets."""
        rows: dict[Subnet, Route] = {}
        strays: list[StrayRoute] = []
        for row, ifindex, gateway in _our_routes(observation):
            first, length, protocol, kind, tos, metric, next_hop, *_unused = row
            subnet = Subnet(first, length)
            is_own_device = ifindex in observation.own
            is_plain_shape = kind == RTN_UNICAST and (gateway or is_own_device) and not metric and not tos
            is_our_hop = not next_hop or (observation.by_hops and next_hop == hop_identifier(subnet))
            if is_plain_shape and is_our_hop and subnet not in rows:
                rows[subnet] = Route(subnet, gateway, observation.name(ifindex), is_own_device and gateway != 0)
            elif (kind, metric, tos, subnet) == (RTN_UNREACHABLE, LAST_METRIC, 0, observation.network):
                observation.unreachable.append(subnet)
            elif next_hop >= 0:
                stray = StrayRoute(subnet, observation.name(ifindex), gateway, metric, tos, protocol, kind, next_hop)
                strays.append(stray)
        if observation.by_hops:
            observation.used_hops = set(map(hop_identifier, rows))
        missing = observation.desired.rows(Route).keys() - rows.keys()
        return Found(rows, tuple(strays), _foreign(observation, missing) if missing else {})

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Add or change routes, unless another program has a route there; remove stale ones."""
        wanted, found = desired.rows(Route), observed.found(Route)
        held, foreign, leaving = found.rows, found.foreign, observed.leaving
        clear: list[Step] = [RemoveStray(stray) for stray in found.strays]
        if wanted == held:
            return TableSteps(clear=clear)
        add: list[Step] = []
        conflicts: list[str] = []
        for subnet, route in wanted.items():
            old = held.get(subnet)
            if old == route:
                continue
            if old is not None:
                add.append(ChangeRoute(old, route))
            elif subnet not in foreign:
                add.append(AddRoute(route))
            elif not foreign[subnet].is_equivalent_to(route):
                conflicts.append(_conflict(route, foreign[subnet]))
            elif foreign[subnet].is_flannels:
                add.append(AdoptRoute(route))
        remove = [
            RemoveRoute(route) for key, route in held.items() if key not in wanted and route.device not in leaving
        ]
        return TableSteps(clear=clear, add=add, remove=remove, conflicts=conflicts)


def _our_routes(observation: Observation) -> Iterator[tuple[RouteRow, int, int]]:
    """Yield our routes, each with its interface index and gateway."""
    own, network, hops = observation.own, observation.network, observation.hops
    for device in own:
        for row in dump_routes(observation.netlink, main_table(ifindex=device), read_route):
            ifindex, gateway = _way(row, hops)
            # Kernels before 4.20 return all routes. Routes of the kernel itself go with the address.
            if ifindex == device and row.protocol != RTPROT_KERNEL:
                yield row, ifindex, gateway
    for row in dump_routes(observation.netlink, main_table(protocol=PROTOCOL), read_route):
        ifindex, gateway = _way(row, hops)
        inside = network.has(row.first) and row.length >= network.length
        if ifindex not in own and row.protocol == PROTOCOL and inside:
            yield row, ifindex, gateway


def _foreign(observation: Observation, missing: Collection[Subnet]) -> dict[Subnet, ForeignRoute]:
    """Return the routes of others to these subnets; only with metric 0, because ours has precedence over others.

    If several routes lead to one subnet, the first is returned, which the kernel uses.
    """
    found: dict[Subnet, ForeignRoute] = {}
    for row in dump_routes(observation.netlink, main_table(), read_route):
        subnet = Subnet(row.first, row.length)
        if subnet not in missing or row.metric or row.tos:
            continue
        ifindex, gateway = _way(row, observation.hops)
        if ifindex not in observation.own and row.protocol != PROTOCOL:
            route = Route(subnet, gateway, observation.name(ifindex), onlink=False)
            is_flannels = row.bare and row.protocol == RTPROT_BOOT
            found.setdefault(subnet, ForeignRoute(route, row.protocol, is_flannels))
    return found


def _way(row: RouteRow, hops: Mapping[int, HopRow]) -> tuple[int, int]:
    """Return interface index and gateway of a route; 0 for a missing part."""
    if row.next_hop:
        hop = hops.get(row.next_hop)
        return (hop.ifindex, hop.gateway) if hop else (0, 0)
    return row.ifindex, row.gateway


def _encode_removal(route: Route, wire: Wire, messages: list[bytes]) -> None:
    """Append the removal of a route; by hops of either form: a plain route of flanneld, or one by its next hop."""
    messages.append(_plain(_remover(route), len(messages), route, wire))
    if wire.by_hops:
        first, length = route.subnet
        hop = hop_identifier(route.subnet)
        messages.append(_GONE.by_hop(len(messages), first, length, hop))
        messages.append(remove_hop(len(messages), hop))


def _plain(writer: RouteWriter, sequence: int, route: Route, wire: Wire) -> bytes:
    (first, length), gateway, device, onlink = route
    return writer.plain(sequence, first, length, gateway, wire.index[device], onlink)


def _remover(route: Route) -> RouteWriter:
    """Return the writer for the removal: a route on our device is ours whatever its protocol.

    Those are onlink or have no gateway.
    """
    return _GONE_WHATEVER_PROTOCOL if route.onlink or not route.gateway else _GONE


def _conflict(wanted: Route, other: ForeignRoute) -> str:
    return (
        f"{wanted} cannot be added: route {other} (proto {other.protocol}) exists and is not managed by overlayd; "
        f"stop the program that sets it, then run: ip route delete {other}"
    )
