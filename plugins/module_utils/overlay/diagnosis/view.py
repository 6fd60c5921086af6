# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel of this host beside the leases in etcd: what it should hold, what it holds, and the plan between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..backends.by_lease import ByLease
from ..backends.guarded import Guarded
from ..host.peer_table import PeerTable
from ..host.reach import reach
from ..kernel.dataplane import Dataplane
from ..kernel.plan import KernelPlan, plan
from ..kernel.state import DesiredState, ObservedState, PeerRows, Row
from ..kernel.tables.route import Route
from ..kernel.tables.unreachable import Unreachable
from ..model.addresses import Subnet, parse_mac
from ..model.backends.wireguard import WIREGUARD
from ..model.errors import OverlayError
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.overlap import HostNetworks, Reserved
from ..model.underlay import Underlay
from ..model.wireguard_keys import parse_key
from ..named_tuple import NamedTuple
from ..store.schema import StoredNetwork

if TYPE_CHECKING:
    from ..kernel.tables.wireguard_device import WireguardEnd


class View(NamedTuple):
    """The desired and the observed state of the kernel for one config and one own subnet, and the plan."""

    config: NetworkConfig
    own: Subnet
    underlay: Underlay
    backend: ByLease
    table: PeerTable
    observed: ObservedState
    plan: KernelPlan

    @property
    def programmed(self) -> set[Subnet]:
        """The subnets of the peers whose rows the kernel has."""
        return {subnet for subnet, rows in self.table.rows.items() if is_programmed(rows, self.observed)}


def read_view(
    config: NetworkConfig,
    network: StoredNetwork,
    own: SubnetLease,
    underlay: Underlay,
    networks: HostNetworks,
    unreachable: bool | None = None,
    keep: bool = False,
) -> View:
    """Compare the kernel with the leases; raise OverlayError if one of them cannot be read.

    ``unreachable`` is whether the unleased subnets of Network should be unreachable; with None this is not compared.
    ``keep``: a tunnel device that no lease needs any more is no difference.
    """
    dataplane = Dataplane()
    try:
        end = own_key(own) if config.backend.type == WIREGUARD else own_mac(own)
        backend = reach(config, underlay, own.subnet, end, dataplane, wireguard=partial(own_key, own), keep=keep)
        table = PeerTable(config, own.subnet, Guarded(backend, Reserved.of(config, networks, own.subnet)))
        table.reset(network.leases)
        wanted = DesiredState.of(backend.own_rows, table.rows.values(), _network_rows(config, unreachable))
        observed = dataplane.observe(wanted, config.network)
    finally:
        dataplane.close()
    return View(config, own.subnet, underlay, backend, table, observed, plan(wanted, observed))


def _network_rows(config: NetworkConfig, unreachable: bool | None) -> tuple[Row, ...] | None:
    if unreachable is None:
        return None
    return (Unreachable(config.network),) if unreachable else ()


def own_mac(own: SubnetLease) -> bytes | None:
    """Return the MAC of the tunnel in the own lease, None without a tunnel; raise OverlayError for a bad one."""
    mac = own.data.get("VtepMAC")
    try:
        return parse_mac(mac) if mac else None
    except ValueError as error:
        raise OverlayError(f"this host's own lease {own.key}: VtepMAC {error}; restart overlayd") from None


def own_key(own: SubnetLease) -> WireguardEnd:
    """Return this host's end of its WireGuard tunnels by the key in the own lease; raise OverlayError for a bad one."""
    from ..kernel.tables.wireguard_device import WireguardEnd

    if own.backend_type != WIREGUARD and "PublicKey" not in own.data:
        raise OverlayError(
            f"this host's own lease {own.key} has no WireGuard key: overlayd does not use the network config with "
            f"wireguard yet; see its log for the reason"
        )
    try:
        return WireguardEnd(parse_key(own.data.get("PublicKey")), "")
    except ValueError as error:
        raise OverlayError(f"this host's own lease {own.key}: PublicKey: {error}; restart overlayd") from None


def is_programmed(rows: PeerRows, observed: ObservedState) -> bool:
    """Return whether the kernel has all rows of a peer; another program's route with the same effect counts."""
    foreign = observed.found(Route).foreign.get(rows.route.key) if rows.route is not None else None
    is_equivalent = foreign is not None and rows.route is not None and foreign.is_equivalent_to(rows.route)
    return all(
        observed.found(type(row)).rows.get(row.key) == row or (row is rows.route and is_equivalent)
        for row in rows.all()
    )


def port_of(view: View) -> int:
    """Return the UDP port of the tunnels, 0 for a backend without one."""
    return int(getattr(view.config.backend, "port", 0))
