# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps on the tables as netlink requests: which requests a step takes, and in which order."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..model.state import Route
from .netlink.constants import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
)
from .netlink.rows import (
    FdbWriter,
    HopWriter,
    NeighbourWriter,
    RouteRow,
    RouteWriter,
    add_unreachable,
    hop_identifier,
    remove_hop,
    remove_route,
)
from .netlink.rtnetlink import KernelRefusal
from .steps import (
    PROTOCOL,
    AddRoute,
    AddUnreachable,
    AdoptRoute,
    ChangeRoute,
    DeleteDevice,
    RemoveAddress,
    RemoveFdb,
    RemoveNeighbour,
    RemoveNextHop,
    RemoveRoute,
    RemoveStray,
    SetFdb,
    SetNeighbour,
    Step,
)

Writer = TypeVar("Writer")
_ONLY_NEW = NLM_F_CREATE | NLM_F_EXCL
_NEW_OR_OLD = NLM_F_CREATE | NLM_F_REPLACE


REMOVALS = (DeleteDevice, RemoveAddress, RemoveNeighbour, RemoveFdb, RemoveRoute, RemoveStray, RemoveNextHop)
# How the kernel says that what is to go is not there; EINVAL is said of a route by a next hop that is gone.
_GONE = {errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.EINVAL}


def verdict(step: Step, answers: Mapping[int, KernelRefusal]) -> KernelRefusal | None:
    """Return why a step failed, None if all is as it wants it; ``answers`` are refusals of its requests, by place."""
    first = answers[min(answers)]
    if isinstance(step, ChangeRoute):
        return None if first.errno == errno.EEXIST else first
    if isinstance(step, REMOVALS):
        return next((refusal for refusal in answers.values() if refusal.errno not in _GONE), None)
    return first


class _ByDevice(dict[str, Writer]):
    """A writer for each device, made when first asked for."""

    def __init__(self, make: Callable[[str], Writer]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, device: str) -> Writer:
        writer = self[device] = self._make(device)
        return writer


class Encoder:
    """Holds for one plan: it remembers the interfaces' indexes."""

    def __init__(self, index: Callable[[str], int], by_hops: bool) -> None:
        """Look interfaces up by ``index``; ``by_hops`` says that routes go by next hops of their own."""
        self._indexes = _ByDevice(index)
        self._neighbours = self._by_device(lambda at: NeighbourWriter(RTM_NEWNEIGH, _NEW_OR_OLD, at))
        self._gone_neighbours = self._by_device(lambda at: NeighbourWriter(RTM_DELNEIGH, 0, at))
        self._fdb = self._by_device(lambda at: FdbWriter(RTM_NEWNEIGH, _NEW_OR_OLD, at))
        self._gone_fdb = self._by_device(lambda at: FdbWriter(RTM_DELNEIGH, 0, at))
        self._hops = self._by_device(lambda at: HopWriter(_ONLY_NEW, at))
        self._changed_hops = self._by_device(lambda at: HopWriter(_NEW_OR_OLD, at))
        self._routes = RouteWriter(RTM_NEWROUTE, _ONLY_NEW, PROTOCOL)
        self._adopted_routes = RouteWriter(RTM_NEWROUTE, NLM_F_REPLACE, PROTOCOL)
        # Behind the old route, not in its place: what NLM_F_REPLACE hits may be somebody else's by then.
        self._second_routes = RouteWriter(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, PROTOCOL)
        self._gone_routes = RouteWriter(RTM_DELROUTE, 0, PROTOCOL)
        self._gone_own_routes = RouteWriter(RTM_DELROUTE, 0, 0)
        self._add_route = self._add_by_hop if by_hops else self._add_plain
        self._change_route = self._change_by_hop if by_hops else self._change_plain
        self._remove_route = self._remove_by_hop if by_hops else self._remove_plain
        self._encoders: dict[type, Callable[[Any, list[bytes]], None]] = {
            SetNeighbour: self._set_neighbour,
            RemoveNeighbour: self._remove_neighbour,
            SetFdb: self._set_fdb,
            RemoveFdb: self._remove_fdb,
            AddRoute: lambda step, messages: self._add_route(step.route, messages),
            AdoptRoute: self._adopt,
            ChangeRoute: self._change_route,
            RemoveRoute: lambda step, messages: self._remove_route(step.route, messages),
            RemoveStray: self._remove_stray,
            AddUnreachable: lambda step, messages: messages.append(add_unreachable(len(messages), step.network)),
            RemoveNextHop: lambda step, messages: messages.append(remove_hop(len(messages), step.identifier)),
        }

    def encode(self, step: Step, messages: list[bytes]) -> None:
        """Append the requests of a step, numbered by their place in the list.

        Raise NetlinkError (errno ENODEV), with nothing appended, when an interface is not there.
        """
        self._encoders[type(step)](step, messages)

    def withdraw(self, step: Step, answers: Mapping[int, KernelRefusal], messages: list[bytes]) -> None:
        """Append the requests that take back what was done of a refused step; ``answers`` as ``verdict`` has them."""
        if isinstance(step, AddRoute) and 0 not in answers:
            messages.append(remove_hop(len(messages), hop_identifier(step.route.subnet)))
        if isinstance(step, ChangeRoute):
            self._remove_route(step.new, messages)

    def _by_device(self, make: Callable[[int], Writer]) -> _ByDevice[Writer]:
        return _ByDevice(lambda device: make(self._indexes[device]))

    def _set_neighbour(self, step: SetNeighbour, messages: list[bytes]) -> None:
        device, address, mac = step.neighbour
        messages.append(self._neighbours[device].write(len(messages), address, mac))

    def _remove_neighbour(self, step: RemoveNeighbour, messages: list[bytes]) -> None:
        device, address, mac = step.neighbour
        messages.append(self._gone_neighbours[device].write(len(messages), address, mac))

    def _set_fdb(self, step: SetFdb, messages: list[bytes]) -> None:
        device, mac, destination = step.entry
        messages.append(self._fdb[device].write(len(messages), mac, destination))

    def _remove_fdb(self, step: RemoveFdb, messages: list[bytes]) -> None:
        device, mac, destination = step.entry
        messages.append(self._gone_fdb[device].write(len(messages), mac, destination))

    def _add_by_hop(self, route: Route, messages: list[bytes]) -> None:
        subnet, gateway, device, onlink = route
        hop = hop_identifier(subnet)
        messages.append(self._hops[device].write(len(messages), hop, gateway, onlink))
        messages.append(self._routes.by_hop(len(messages), subnet.first, subnet.length, hop))

    def _add_plain(self, route: Route, messages: list[bytes]) -> None:
        messages.append(self._plain(self._routes, len(messages), route))

    def _adopt(self, step: AdoptRoute, messages: list[bytes]) -> None:
        """Give the route our protocol; it stays a plain one, as flanneld cannot delete a route by a next hop.

        So a host that goes back to flanneld can change and remove it.
        """
        messages.append(self._plain(self._adopted_routes, len(messages), step.route))

    def _change_by_hop(self, step: ChangeRoute, messages: list[bytes]) -> None:
        """Change the next hop under the route, and replace a plain route of an earlier flannel.

        The second request is refused (EEXIST) where the route goes by the next hop already: then all is done.
        """
        subnet, gateway, device, onlink = step.new
        hop = hop_identifier(subnet)
        old = self._plain(self._remover(step.old), len(messages) + 2, step.old)
        messages.append(self._changed_hops[device].write(len(messages), hop, gateway, onlink))
        messages.append(self._second_routes.by_hop(len(messages), subnet.first, subnet.length, hop))
        messages.append(old)

    def _change_plain(self, step: ChangeRoute, messages: list[bytes]) -> None:
        new = self._plain(self._second_routes, len(messages), step.new)
        messages += new, self._plain(self._remover(step.old), len(messages) + 1, step.old)

    def _remove_by_hop(self, route: Route, messages: list[bytes]) -> None:
        """Remove the route in either form: by its next hop, or by gateway as an earlier flannel made it."""
        subnet = route.subnet
        hop = hop_identifier(subnet)
        plain = self._plain(self._remover(route), len(messages), route)
        messages.append(plain)
        messages.append(self._gone_routes.by_hop(len(messages), subnet.first, subnet.length, hop))
        messages.append(remove_hop(len(messages), hop))

    def _remove_plain(self, route: Route, messages: list[bytes]) -> None:
        messages.append(self._plain(self._remover(route), len(messages), route))

    def _remove_stray(self, step: RemoveStray, messages: list[bytes]) -> None:
        (first, length), device, gateway, metric, tos, protocol, kind, next_hop = step.route
        index = self._indexes[device] if device else 0
        row = RouteRow(first, length, protocol, kind, tos, metric, next_hop, index, gateway)
        messages.append(remove_route(len(messages), row))

    def _plain(self, writer: RouteWriter, sequence: int, route: Route) -> bytes:
        (first, length), gateway, device, onlink = route
        return writer.plain(sequence, first, length, gateway, self._indexes[device], onlink)

    def _remover(self, route: Route) -> RouteWriter:
        """Return what removes a route that is ours by its device (those are onlink), or by its protocol elsewhere."""
        return self._gone_own_routes if route.onlink else self._gone_routes
