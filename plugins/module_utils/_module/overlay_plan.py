# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans of the module overlay_route: kernel steps for all peers, for single peers, and for the removal."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Union

from ..overlay.diagnosis.lease_table import LeaseRow
from ..overlay.host.peer_table import PeerTable
from ..overlay.kernel.dataplane import Dataplane
from ..overlay.kernel.plan import KernelPlan, plan
from ..overlay.kernel.state import DesiredState, ObservedState
from ..overlay.kernel.step import Step
from ..overlay.kernel.tables import TABLES
from ..overlay.kernel.tables.address import Address
from ..overlay.kernel.tables.device import DeleteDevice, DeviceTable, SetMac
from ..overlay.kernel.tables.fdb import FdbEntry
from ..overlay.kernel.tables.neighbour import Neighbour
from ..overlay.kernel.tables.next_hop import NextHop, RemoveNextHop, hop_identifier
from ..overlay.kernel.tables.route import RemoveRoute, Route
from ..overlay.kernel.tables.stray_route import RemoveStray
from ..overlay.kernel.tables.unreachable import RemoveUnreachable, Unreachable
from ..overlay.model.addresses import Subnet
from ..overlay.model.network import NetworkConfig
from ..overlay.model.subnet_env import SubnetEnv
from .overlay_host import Host

_KNOWN = (Address, FdbEntry, Neighbour, NextHop, Route, Unreachable)
Peer = Union[Subnet, int]  # a subnet, or the public IP of its host


def whole_plan(dataplane: Dataplane, host: Host, table: PeerTable, former: SubnetEnv | None) -> KernelPlan:
    """Return the agent's plan for all peers, preceded by the removal of routes of this host's former network."""
    network = host.config.network
    wanted = DesiredState.of(host.backend.own_rows, table.rows.values())
    own = {device.name for device in host.backend.devices}
    tunnels, subnets = dataplane.tunnels(), {host.lease.subnet, *([former.subnet] if former else [])}
    leftovers = {name for subnet in subnets for name in tunnels.with_address(subnet.first)} - own
    steps = plan(wanted, dataplane.observe(wanted, network, sorted(leftovers)))
    if former is None or network.covers(former.network):
        return steps
    nothing = DesiredState()
    old = plan(nothing, dataplane.observe(nothing, former.network))
    stale = [step for step in old.steps if _is_of_former(step, network, own | leftovers)]
    return steps._replace(steps=tuple(dict.fromkeys([*stale, *steps.steps])))


def _is_of_former(step: Step, network: Subnet, devices: Collection[str]) -> bool:
    """Return whether a step is still necessary after the plan for this network and the removal of these devices."""
    if isinstance(step, RemoveNextHop):
        return not network.has(step.identifier)
    if isinstance(step, RemoveUnreachable):
        return not network.covers(step.network)
    if isinstance(step, (RemoveRoute, RemoveStray)):
        return step.route.device not in devices and not network.covers(step.route.subnet)
    return False


def peer_plan(dataplane: Dataplane, host: Host, table: PeerTable, peers: list[Subnet]) -> KernelPlan:
    """Return the steps for these peers only; for all peers if a new device or MAC makes the kernel delete all rows."""
    rows = [table.rows[subnet] for subnet in peers]
    wanted = DesiredState.of(host.backend.own_rows, rows)
    steps = plan(wanted, only(dataplane.observe(wanted, host.config.network), peers, wanted.rows(FdbEntry)))
    if not any(isinstance(step, (DeleteDevice, SetMac)) for step in steps.steps):
        return steps
    wanted = DesiredState.of(host.backend.own_rows, table.rows.values())
    return plan(wanted, dataplane.observe(wanted, host.config.network))


def only(
    observed: ObservedState, peers: Collection[Subnet], entries: Collection[tuple[str, bytes]] = ()
) -> ObservedState:
    """Return the part of the observed state for these peers' plan, with the FDB entries of these devices and MACs.

    The row of a MAC that a peer of theirs had before is part of it, unless another peer has that MAC.
    """
    firsts = {subnet.first for subnet in peers}
    neighbours = {key: row for key, row in observed.rows(Neighbour).items() if row.address in firsts}
    others = {(row.device, row.mac) for row in observed.rows(Neighbour).values() if row.address not in firsts}
    concerned = ({(row.device, row.mac) for row in neighbours.values()} - others) | set(entries)
    hops = {hop_identifier(subnet) for subnet in peers}
    routes, fdb = observed.found(Route), observed.found(FdbEntry)
    for table, found in observed.tables.items():
        if table not in _KNOWN:  # the rows of a further table are of a peer's subnet (WireGuard peers)
            kept = {key: row for key, row in found.rows.items() if getattr(row, "subnet", None) in (None, *peers)}
            observed = observed.replace(table, rows=kept, strays=())
    return (
        observed.without(Unreachable)
        .replace(
            Route,
            rows={subnet: route for subnet, route in routes.rows.items() if subnet in peers},
            strays=tuple(route for route in routes.strays if route.subnet in peers),
        )
        .replace(Neighbour, rows=neighbours)
        .replace(
            FdbEntry,
            rows={key: row for key, row in fdb.rows.items() if key in concerned},
            strays=tuple(row for row in fdb.strays if row.key in concerned),
        )
        .replace(NextHop, strays=tuple(hop for hop in observed.found(NextHop).strays if hop.identifier in hops))
    )


def routed_to(observed: ObservedState, public_ip: int) -> list[Subnet]:
    """Return the subnets that the kernel routes to the host with this public IP, sorted."""
    entries = {key for key, row in observed.rows(FdbEntry).items() if row.destination == public_ip}
    neighbours = observed.rows(Neighbour).values()
    gateways = {row.address for row in neighbours if (row.device, row.mac) in entries} | {public_ip}
    further = [row for found in observed.tables.values() for row in found.rows.values() if hasattr(row, "endpoint")]
    subnets = {row.subnet for row in further if row.endpoint == public_ip}
    routed = {subnet for subnet, route in observed.rows(Route).items() if route.gateway in gateways}
    return sorted(subnets | routed)


def removal_plan(dataplane: Dataplane, config: NetworkConfig | None, former: SubnetEnv | None) -> KernelPlan:
    """Return the steps that remove everything of the overlay on this host, under its config and a former one."""
    networks = {*([config.network] if config else []), *([former.network] if former else [])}
    devices = _devices(dataplane, config, former)
    nothing = DesiredState()
    plans = [plan(nothing, dataplane.observe(nothing, network, devices)) for network in sorted(networks)]
    return KernelPlan(tuple(dict.fromkeys(step for one in plans for step in one.steps)))


def peer_removal(
    dataplane: Dataplane,
    config: NetworkConfig | None,
    former: SubnetEnv | None,
    peers: Iterable[Peer],
    rows: Iterable[LeaseRow],
) -> tuple[KernelPlan, list[Subnet]]:
    """Return the steps that remove these peers' rows, and their subnets; a peer's lease may already be deleted."""
    known = config or former
    if known is None:
        return KernelPlan(), []
    devices = _devices(dataplane, config, former)
    device_rows = [table.row for table in TABLES if isinstance(table, DeviceTable)]
    observed = dataplane.observe(DesiredState(), known.network, devices).without(*device_rows, Address)
    subnets: set[Subnet] = set()
    for peer in peers:
        subnets.update([peer] if isinstance(peer, Subnet) else [*routed_to(observed, peer), *subnets_of(peer, rows)])
    return plan(DesiredState(), only(observed, subnets)), sorted(subnets)


def subnets_of(public_ip: int, rows: Iterable[LeaseRow]) -> list[Subnet]:
    """Return the subnets of a host's leases in etcd."""
    return [row.lease.subnet for row in rows if row.lease and row.lease.public_ip == public_ip]


def _devices(dataplane: Dataplane, config: NetworkConfig | None, former: SubnetEnv | None) -> list[str]:
    """Return the names of the tunnel device of a config, and of the existing ones of a former subnet, sorted."""
    named = [config.backend.device_name] if config and config.backend.device_name else []
    tunnels = dataplane.tunnels()  # this also registers the tables of the existing kinds of devices
    return sorted({*named, *(tunnels.with_address(former.subnet.first) if former else [])})
