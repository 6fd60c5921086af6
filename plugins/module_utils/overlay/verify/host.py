# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one host holds, compared with what etcd says it should: read from the real things, changed nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..agent.peers import PeerTable
from ..backends import backend_for
from ..backends.guarded import Guarded
from ..kernel.dataplane import Dataplane
from ..kernel.forwarding import forwarding_problem
from ..kernel.host_networks import read_host_networks
from ..kernel.interfaces import addresses, link
from ..kernel.netlink import Netlink, NetlinkError
from ..kernel.plan import DesiredState, ObservedState, plan
from ..kernel.underlay import choose_underlay
from ..model.addresses import format_ipv4, parse_mac
from ..model.errors import OverlayError
from ..model.lease import SubnetLease, lease_key, parse_lease
from ..model.network import NetworkConfig
from ..model.overlap import Reserved, network_problems
from ..model.state import PeerRows
from ..model.subnet_env import SubnetEnv, parse_subnet_env
from ..store.protocol import Store
from ..store.schema import Keys, NestedKeys, StoredNetwork, read_network


@dataclass
class HostReport:
    """The facts of one host as text and numbers; ``problems`` has a sentence for each thing that is wrong."""

    network: str = ""
    subnet: str = ""
    public_ip: str = ""
    backend: str = ""
    mtu: int = 0
    underlay: str = ""
    bridge_address: str = ""
    peers_expected: int = 0
    peers_programmed: int = 0
    pending: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect_host(store: Store, prefix: str, subnet_file: str, bridge: str) -> HostReport:
    """Return what this host holds; a part that cannot be read is a problem of the report, never an exception."""
    report = HostReport()
    try:
        env = _read_env(subnet_file)
        report.network, report.subnet, report.mtu = str(env.network), str(env.subnet), env.mtu
        _look_at_bridge(report, env, bridge)
        keys = Keys(prefix)
        network = read_network(store, keys)
        report.problems += NestedKeys(keys, network.nested).sentences()
        _look_at_kernel(report, env, keys, network)
        report.problems += filter(None, [forwarding_problem()])
    except OverlayError as error:
        report.problems.append(str(error))
    return report


def _read_env(subnet_file: str) -> SubnetEnv:
    try:
        text = Path(subnet_file).read_text(encoding="utf-8")
    except OSError as error:
        raise OverlayError(f"{subnet_file} cannot be read ({error.strerror}); is overlayd running here?") from error
    return parse_subnet_env(text, subnet_file)


def _look_at_bridge(report: HostReport, env: SubnetEnv, bridge: str) -> None:
    netlink = Netlink()
    try:
        found = addresses(netlink, link(netlink, bridge).ifindex)
    except NetlinkError:
        report.problems.append(f"there is no {bridge}; is Docker running?")
        return
    finally:
        netlink.close()
    held = [f"{format_ipv4(one.address)}/{one.length}" for one in found]
    report.bridge_address = ", ".join(held)
    if env.bip not in held:
        report.problems.append(
            f"{bridge} has {report.bridge_address or 'no address'} and should have {env.bip}: "
            f"restart Docker with the overlay's options (role clusternet.overlay.docker)"
        )


def _look_at_kernel(report: HostReport, env: SubnetEnv, keys: Keys, network: StoredNetwork) -> None:
    config_item, own_item = network.config, network.leases.get(lease_key(env.subnet))
    if config_item is None or own_item is None:
        what = keys.config if config_item is None else f"a lease for this host's subnet {env.subnet}"
        raise OverlayError(f"etcd does not have {what}; is --etcd-prefix right, and is overlayd running?")
    config = NetworkConfig.parse(config_item.value)
    own = parse_lease(lease_key(env.subnet), own_item.value)
    underlay, _unused = choose_underlay((), (), "", format_ipv4(own.public_ip))
    report.backend, report.public_ip, report.underlay = own.backend_type, format_ipv4(own.public_ip), underlay.name
    backend = backend_for(config, underlay, env.subnet, _own_mac(own))
    if env.mtu != backend.mtu:
        report.problems.append(
            f"the subnet file says MTU {env.mtu}, the network config makes it {backend.mtu}: "
            f"restart overlayd, then Docker"
        )
    networks = read_host_networks()
    report.problems += network_problems(config, networks, underlay.name, env.subnet)
    table = PeerTable(config, env.subnet, Guarded(backend, Reserved.of(config, networks, env.subnet)))
    table.reset(network.leases)
    report.problems += table.problems
    dataplane = Dataplane()
    try:
        wanted = DesiredState.of(backend.device, table.rows.values())
        observed = dataplane.observe(wanted, config.network)
    finally:
        dataplane.close()
    steps = plan(wanted, observed)
    report.pending = [str(step) for step in steps.operations]
    report.problems += [*steps.conflicts, *(f"not as it should be in the kernel: {step}" for step in report.pending)]
    report.peers_expected = len(table.rows)
    report.peers_programmed = sum(_programmed(rows, observed) for rows in table.rows.values())


def _own_mac(own: SubnetLease) -> bytes | None:
    mac = (own.backend_data or {}).get("VtepMAC")
    try:
        return parse_mac(mac) if mac else None
    except ValueError as error:
        raise OverlayError(f"this host's own lease {own.key}: VtepMAC {error}; restart overlayd") from None


def _programmed(rows: PeerRows, observed: ObservedState) -> bool:
    """Whether the kernel holds all that a peer needs; somebody else's route counts where it does the same job."""
    route, neighbour, fdb = rows
    foreign = observed.foreign_routes.get(route.subnet)
    return (
        (observed.routes.get(route.subnet) == route or (foreign is not None and foreign.does_the_job_of(route)))
        and (neighbour is None or observed.neighbours.get(neighbour.address) == neighbour)
        and (fdb is None or observed.fdb.get(fdb.mac) == fdb)
    )
