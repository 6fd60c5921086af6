# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Comparison of one host's state (subnet file, bridge, lease, kernel) with etcd; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..overlay.backends.by_lease import ByLease
from ..overlay.backends.guarded import Guarded
from ..overlay.host.extension_memory import ExtensionMemory
from ..overlay.host.memory import DEFAULT_STATE_DIR, memory_file
from ..overlay.host.peer_table import PeerTable
from ..overlay.host.reach import reach
from ..overlay.kernel.dataplane import Dataplane
from ..overlay.kernel.forwarding import forwarding_problem
from ..overlay.kernel.host_networks import read_host_networks
from ..overlay.kernel.netlink.interfaces import addresses, link, links
from ..overlay.kernel.netlink.rtnetlink import Netlink, NetlinkError
from ..overlay.kernel.plan import plan
from ..overlay.kernel.state import DesiredState, ObservedState, PeerRows
from ..overlay.kernel.tables.route import Route
from ..overlay.kernel.tables.vxlan_device import KIND
from ..overlay.kernel.tables.wireguard_device import WireguardEnd
from ..overlay.kernel.underlay import choose_underlay
from ..overlay.model.addresses import format_ipv4, parse_mac
from ..overlay.model.backends import EXTENSION
from ..overlay.model.backends.wireguard import WIREGUARD
from ..overlay.model.errors import LeaseError, OverlayError
from ..overlay.model.lease import SubnetLease, lease_key, parse_lease
from ..overlay.model.network import NetworkConfig
from ..overlay.model.overlap import Reserved, network_problems
from ..overlay.model.setting_names import option_names
from ..overlay.model.subnet_env import SubnetEnv, parse_subnet_env
from ..overlay.model.underlay import Underlay
from ..overlay.model.wireguard_keys import parse_key
from ..overlay.store.protocol import Item, Store
from ..overlay.store.schema import Keys, NestedKeys, StoredNetwork, read_network

RENEWAL_SLACK = 300.0  # seconds of retries after which a due renewal counts as missing


@dataclass
class HostReport:
    """The state of one host; ``problems`` has a sentence for each problem."""

    network: str = ""
    subnet: str = ""
    public_ip: str = ""
    backend: str = ""
    mtu: int = 0
    underlay: str = ""
    bridge_address: str = ""
    lease_ttl: int | None = None
    reservation: bool = False
    peers_expected: int = 0
    peers_programmed: int = 0
    pending: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect_host(
    open_store: Callable[[], tuple[Store, str]], subnet_file: str, bridge: str, renew_margin: float
) -> HostReport:
    """Return the state of this host; a part that cannot be read is a problem in the report, not an exception.

    ``open_store`` returns the store and the prefix. ``renew_margin`` is the number of seconds before its expiry at
    which the agent renews the lease.
    """
    report = HostReport()
    try:
        env = read_env(subnet_file)
        report.network, report.subnet, report.mtu = str(env.network), str(env.subnet), env.mtu
        _look_at_bridge(report, bridge)
        store, prefix = open_store()
        with closing(store):
            keys = Keys(prefix)
            network = read_network(store, keys)
            report.problems += NestedKeys(keys, network.nested).sentences()
            own = _found(network.leases.get(lease_key(env.subnet)), f"a lease for this host's subnet {env.subnet}")
            look_at_lease(report, own, store.ttl_left([own]).get(own.key), renew_margin)
        config = NetworkConfig.parse(_found(network.config, keys.config).value)
        memory = memory_file(DEFAULT_STATE_DIR, prefix).with_suffix(".extension")
        _look_at_kernel(report, env, config, network, own, memory)
        report.problems += filter(None, [forwarding_problem()])
    except OverlayError as error:
        report.problems.append(str(error))
    return report


def read_env(subnet_file: str) -> SubnetEnv:
    """Return the values of the subnet file; raise OverlayError if it cannot be read or is invalid."""
    try:
        text = Path(subnet_file).read_text(encoding="utf-8")
    except OSError as error:
        raise OverlayError(
            f"{subnet_file} cannot be read: {error.strerror}; check whether overlayd runs on this host"
        ) from error
    return parse_subnet_env(text, subnet_file)


def _look_at_bridge(report: HostReport, bridge: str) -> None:
    netlink = Netlink()
    try:
        found = addresses(netlink, link(netlink, bridge).ifindex)
    except NetlinkError:
        report.problems.append(f"{bridge} does not exist; check whether Docker runs")
        return
    finally:
        netlink.close()
    report.bridge_address = ", ".join(f"{format_ipv4(one.address)}/{one.length}" for one in found)
    if not found:
        report.problems.append(f"{bridge} has no address; restart Docker")


def _found(item: Item | None, what: str) -> Item:
    if item is None:
        raise OverlayError(f"etcd does not have {what}; check the etcd prefix, and whether overlayd runs")
    return item


def look_at_lease(report: HostReport, own: Item, ttl: int | None, margin: float) -> None:
    """Add the lease's remaining lifetime to the report; far below its renewal margin, it was not renewed when due."""
    report.reservation, report.lease_ttl = own.reservation, ttl
    if ttl is not None and ttl < margin - min(margin / 2, RENEWAL_SLACK):
        report.problems.append(
            f"the lease of this host's subnet {report.subnet} expires in {ttl} seconds and was due for renewal "
            f"{margin - ttl:.0f} seconds ago: the agent does not renew it; restart the agent, or see its journal"
        )


def _check_holder(own: SubnetLease) -> None:
    """Raise LeaseError if another host holds the lease: this host has neither its address nor its MAC."""
    netlink = Netlink()
    try:
        is_here = any(one.address == own.public_ip for one in addresses(netlink))
        macs = {one.mac for one in links(netlink) if one.kind == KIND}
    finally:
        netlink.close()
    mac = own_mac(own)  # a host with a translated public IP (NAT) is recognized by its MAC only
    if not is_here and (mac is None or (macs and mac not in macs)):
        raise LeaseError(
            f"the lease {own.key} of this host's subnet belongs to another host: {format_ipv4(own.public_ip)} is not "
            f"an address of this host; restart overlayd to lease another subnet, then restart Docker"
        )


def _look_at_kernel(
    report: HostReport,
    env: SubnetEnv,
    config: NetworkConfig,
    network: StoredNetwork,
    own_item: Item,
    memory: Path,
) -> None:
    own = parse_lease(lease_key(env.subnet), own_item.value)
    _check_holder(own)
    if env.network != config.network or not config.fits(env.subnet):
        report.problems.append(
            f"the subnet file has Network {env.network} and subnet {env.subnet}, but the network config has Network "
            f"{config.network} with a /{config.subnet_len} from {config.subnet_min} to {config.subnet_max}; restart "
            f"overlayd, then Docker"
        )
    underlay, _unused = choose_underlay((), (), "", format_ipv4(own.public_ip))
    report.backend = own.backend_type or config.backend.type
    report.public_ip, report.underlay = format_ipv4(own.public_ip), underlay.name
    dataplane = Dataplane()
    try:
        end = own_key(own) if config.backend.type == WIREGUARD else own_mac(own)
        backend = reach(config, underlay, env.subnet, end, dataplane, wireguard=partial(own_key, own))
        table = _peers(report, env, config, network, backend, underlay)
        wanted = DesiredState.of(backend.own_rows, table.rows.values())
        observed = dataplane.observe(wanted, config.network)
    finally:
        dataplane.close()
    steps = plan(wanted, observed)
    report.pending = [str(step) for step in steps.steps]
    report.problems += [*steps.conflicts, *(f"the kernel differs from the leases: {step}" for step in report.pending)]
    report.peers_expected = len(table.rows)
    report.peers_programmed = sum(_programmed(rows, observed) for rows in table.rows.values())
    if config.backend.type == EXTENSION:
        _count_commanded(report, table, memory)


def _count_commanded(report: HostReport, table: PeerTable, memory: Path) -> None:
    """Add the peers that commands add to the report; overlayd remembers which are added, flanneld does not."""
    peers = table.admitted(EXTENSION)
    added = ExtensionMemory(memory, any_boot=True).added if memory.exists() else None
    report.peers_expected += len(peers)
    report.peers_programmed += sum(
        added is None or (str(subnet) in added and added[str(subnet)].done) for subnet in peers
    )


def _peers(
    report: HostReport,
    env: SubnetEnv,
    config: NetworkConfig,
    network: StoredNetwork,
    backend: ByLease,
    underlay: Underlay,
) -> PeerTable:
    """Return the peers of this host; report what keeps some of them from being reached."""
    if env.mtu != backend.mtu:
        report.problems.append(
            f"the subnet file has MTU {env.mtu}, but the network config results in {backend.mtu}; "
            f"restart overlayd, then Docker"
        )
    networks = read_host_networks()
    report.problems += network_problems(config, networks, underlay.name, env.subnet, option_names("overlay_"))
    table = PeerTable(config, env.subnet, Guarded(backend, Reserved.of(config, networks, env.subnet)))
    table.reset(network.leases)
    report.problems += table.problems
    return table


def own_mac(own: SubnetLease) -> bytes | None:
    """Return the MAC of the tunnel in the own lease, None without a tunnel; raise OverlayError for a bad one."""
    mac = own.data.get("VtepMAC")
    try:
        return parse_mac(mac) if mac else None
    except ValueError as error:
        raise OverlayError(f"this host's own lease {own.key}: VtepMAC {error}; restart overlayd") from None


def own_key(own: SubnetLease) -> WireguardEnd:
    """Return this host's end of its WireGuard tunnels by the key in the own lease; raise OverlayError for a bad one."""
    try:
        return WireguardEnd(parse_key(own.data.get("PublicKey")), "")
    except ValueError as error:
        raise OverlayError(f"this host's own lease {own.key}: PublicKey: {error}; restart overlayd") from None


def _programmed(rows: PeerRows, observed: ObservedState) -> bool:
    """Return whether the kernel has all rows of a peer; another program's route with the same effect counts."""
    foreign = observed.found(Route).foreign.get(rows.route.key) if rows.route is not None else None
    does_the_job = foreign is not None and rows.route is not None and foreign.does_the_job_of(rows.route)
    return all(
        observed.found(type(row)).rows.get(row.key) == row or (row is rows.route and does_the_job) for row in rows.all()
    )
