# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Comparison of one host's state (subnet file, bridge, lease, kernel) with etcd; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..host.extension_memory import ExtensionMemory
from ..host.memory import DEFAULT_STATE_DIR, memory_file
from ..host.peer_table import PeerTable
from ..kernel.forwarding import forwarding_problem
from ..kernel.host_networks import read_host_networks
from ..kernel.netlink.interfaces import addresses, link, links
from ..kernel.netlink.rtnetlink import Netlink, NetlinkError
from ..kernel.tables.vxlan_device import KIND
from ..kernel.underlay import choose_underlay
from ..model.addresses import format_ipv4
from ..model.backends import EXTENSION
from ..model.errors import LeaseError, OverlayError
from ..model.lease import SubnetLease, lease_key, parse_lease
from ..model.network import NetworkConfig
from ..model.overlap import HostNetworks, network_problems
from ..model.setting_names import option_names
from ..model.subnet_env import SubnetEnv, parse_subnet_env
from ..store.protocol import Item, Store
from ..store.schema import Keys, NestedKeys, StoredNetwork, read_network
from .view import View, own_mac, read_view

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
    networks = read_host_networks()
    view = read_view(config, network, own, underlay, networks)
    _look_at_settings(report, env, config, view, networks)
    steps = view.plan
    report.pending = [str(step) for step in steps.steps]
    report.problems += [*steps.conflicts, *(f"the kernel differs from the leases: {step}" for step in report.pending)]
    report.peers_expected = len(view.table.rows)
    report.peers_programmed = len(view.programmed)
    if config.backend.type == EXTENSION:
        _count_commanded(report, view.table, memory)


def _count_commanded(report: HostReport, table: PeerTable, memory: Path) -> None:
    """Add the peers that commands add to the report; overlayd remembers which are added, flanneld does not."""
    peers = table.admitted(EXTENSION)
    added = ExtensionMemory(memory, any_boot=True).added if memory.exists() else None
    report.peers_expected += len(peers)
    report.peers_programmed += sum(
        added is None or (str(subnet) in added and added[str(subnet)].done) for subnet in peers
    )


def _look_at_settings(
    report: HostReport, env: SubnetEnv, config: NetworkConfig, view: View, networks: HostNetworks
) -> None:
    """Report what keeps some of the peers from being reached."""
    if env.mtu != view.backend.mtu:
        report.problems.append(
            f"the subnet file has MTU {env.mtu}, but the network config results in {view.backend.mtu}; "
            f"restart overlayd, then Docker"
        )
    report.problems += network_problems(config, networks, view.underlay.name, env.subnet, option_names("overlay_"))
    report.problems += view.table.problems
