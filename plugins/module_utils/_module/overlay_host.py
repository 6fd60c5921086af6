# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host that a module runs on: its address, its lease in etcd and its backend."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..overlay.backends.by_lease import ByLease
from ..overlay.host.claim import own_leases
from ..overlay.host.identity import HostSettings, Identity
from ..overlay.host.reach import reach
from ..overlay.kernel.dataplane import Dataplane
from ..overlay.kernel.netlink.interfaces import addresses
from ..overlay.kernel.netlink.rtnetlink import Netlink
from ..overlay.model.addresses import Subnet, format_ipv4, parse_mac
from ..overlay.model.backends import EXTENSION
from ..overlay.model.errors import ConfigError, LeaseError
from ..overlay.model.lease import SubnetLease, lease_key, parse_lease
from ..overlay.model.network import NetworkConfig
from ..overlay.model.overlap import Reserved
from ..overlay.model.underlay import Underlay
from ..overlay.store.protocol import Item
from ..overlay.store.schema import Keys
from .former_setup import former_setup


class Host(NamedTuple):
    """This host under the network config; ``found`` is its lease in etcd, ``lease`` the lease it should have.

    ``reserved`` are the addresses that leases of other hosts must not contain.
    """

    config: NetworkConfig
    underlay: Underlay
    backend: ByLease
    lease: SubnetLease
    found: SubnetLease
    item: Item
    reserved: Reserved


def this_host(
    config: NetworkConfig,
    leases: Mapping[str, Item],
    keys: Keys,
    *,
    subnet: Subnet | None,
    public_ip: str,
    iface: str,
    subnet_file: str,
    state_dir: str,
    check: bool,
) -> Host:
    """Return this host with its own lease; ``leases`` are by lease name.

    Raise LeaseError if it has no lease, ConfigError if it cannot take part in the network, KernelError if no interface
    can be the underlay.
    """
    former = former_setup(subnet_file)
    if not public_ip and not iface:
        public_ip = _held_address(subnet or (former.subnet if former else None), leases)
    if config.backend.type == EXTENSION:
        raise ConfigError(
            "Backend extension: only overlayd runs its commands, and remembers what they did; start overlayd, or use "
            "another backend"
        )
    identity = Identity(_settings(public_ip, iface, subnet_file, state_dir), None)
    identity.keeps_key = not check
    own = own_leases(identity.claim(config), leases)
    found, item = _chosen(own, config, subnet, identity.public_ip_text, keys.subnets)
    mac = _lease_mac(found)
    if mac is not None:
        identity.adopt_mac(config, mac)
    lease = identity.claim(config).lease(found.subnet)
    with closing(Dataplane()) as dataplane:
        end, wireguard = identity.end_for(config), identity.wireguard_end
        backend = reach(config, identity.underlay, found.subnet, end, dataplane, wireguard=wireguard)
    reserved = identity.reserved(config, found.subnet)
    return Host(config, identity.underlay, backend, lease, found, item, reserved)


def _settings(public_ip: str, iface: str, subnet_file: str, state_dir: str) -> HostSettings:
    """Return the host settings of the module's options; memory file (of no name) and etcd endpoints are not used."""
    return HostSettings([iface] if iface else [], [], "", public_ip, Path(subnet_file), Path(state_dir, "none"), ())


def _held_address(subnet: Subnet | None, leases: Mapping[str, Item]) -> str:
    """Return the public IP in a subnet's lease if an interface of this host has it, else ""."""
    name = lease_key(subnet) if subnet else ""
    if name not in leases:
        return ""
    try:
        address = parse_lease(name, leases[name].value).public_ip
    except LeaseError:
        return ""
    netlink = Netlink()
    try:
        return format_ipv4(address) if any(one.address == address for one in addresses(netlink)) else ""
    finally:
        netlink.close()


def _chosen(
    own: list[tuple[SubnetLease, Item]], config: NetworkConfig, subnet: Subnet | None, public_ip: str, folder: str
) -> tuple[SubnetLease, Item]:
    """Return the host's best lease that fits the config, or its lease of ``subnet`` if that is not None."""
    asked = [one for one in own if subnet in (None, one[0].subnet)]
    if not asked:
        which = f"of {subnet} " if subnet else ""
        raise LeaseError(
            f"there is no lease {which}below {folder} for this host, {public_ip}; reserve a subnet for it first "
            f"(module subnet_lease), or set public_ip if other hosts reach it by another address"
        )
    fitting = [one for one in asked if config.fits(one[0].subnet)]
    if not fitting:
        raise LeaseError(
            f"lease {asked[0][0].key} of this host does not fit the network config: it is not a /{config.subnet_len} "
            f"from {config.subnet_min} to {config.subnet_max}; reserve another subnet (subnet_lease with force=true)"
        )
    return fitting[0]


def _lease_mac(lease: SubnetLease) -> bytes | None:
    """Return the VtepMAC in the lease, None if it has none or an invalid one (zero or a group address)."""
    try:
        mac = parse_mac(lease.data.get("VtepMAC", ""))
    except ValueError:
        return None
    is_group = mac[0] & 1
    return mac if any(mac) and not is_group else None
