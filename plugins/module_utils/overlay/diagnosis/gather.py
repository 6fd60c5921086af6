# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers the facts about this host: each part once, each read that fails leaves its facts unknown. Changes nothing."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path

from ..host.identity import Identity
from ..host.memory import machine_id, recall
from ..kernel.forwarding import forwarding_problem
from ..kernel.host_networks import read_host_networks
from ..kernel.netlink.interfaces import addresses, links
from ..kernel.netlink.rtnetlink import Netlink
from ..kernel.tables.vxlan_device import KIND
from ..kernel.underlay import choose_underlay
from ..model.addresses import format_ipv4, format_mac, parse_ipv4, parse_mac
from ..model.backends import EXTENSION
from ..model.errors import ConfigError, LeaseError, OverlayError
from ..model.lease import SubnetLease, lease_key, parse_lease
from ..model.network import NetworkConfig
from ..model.overlap import network_problems
from ..model.setting_names import option_names
from ..model.subnet_env import parse_subnet_env
from ..store.api_choice import connect
from ..store.reachable import reachable_first
from ..store.schema import Keys, NestedKeys, StoredNetwork, read_network
from ..store.stored_config import parse_config
from .agent_facts import gather_agent
from .certificate import read_certificates
from .docker_facts import gather_docker
from .endpoints import read_members
from .facts import Disk, Facts
from .kernel_facts import gather_firewall, gather_managers, strict_devices
from .probe import probe_peers
from .setup import Setup
from .view import read_view


def gather(setup: Setup) -> Facts:
    """Return the facts about this host."""
    facts = gather_kernel(setup)
    facts.certificates = read_certificates(setup.connection)
    _gather_disk(facts)
    _gather_join(facts)
    facts.forwarding = forwarding_problem() or ""
    gather_managers(facts)
    gather_docker(facts)
    if facts.view is not None:
        facts.reach = probe_peers(facts.view, facts.env, setup)
    return facts


def gather_kernel(setup: Setup) -> Facts:
    """Return the facts about the lease, the kernel and the agent's firewall rules of this host, and no others."""
    facts = Facts(setup, time.time())
    _gather_underlay(facts)
    _gather_subnet_file(facts)
    _gather_etcd(facts)
    gather_agent(facts)
    _gather_lease(facts)
    _gather_view(facts)
    gather_firewall(facts)
    return facts


def _gather_underlay(facts: Facts) -> None:
    try:
        facts.underlay, facts.public_ip = choose_underlay(*facts.setup.options.host_settings()[:4])
    except OverlayError as error:
        facts.underlay_error = str(error) if facts.setup.known else ""


def _gather_etcd(facts: Facts) -> None:
    connection, prefix = facts.setup.connection, facts.setup.prefix
    try:
        facts.members = read_members(connection)
        store = connect(reachable_first(connection), prefix)
        with closing(store):
            facts.api = store.api
            keys = Keys(store.root(prefix))
            network = facts.network = read_network(store, keys)
            facts.nested = list(NestedKeys(keys, network.nested).sentences())
            try:
                facts.config = parse_config(store, keys, network.config)
            except ConfigError as error:
                facts.config_error = error
            if facts.env is not None:
                facts.own_item = network.leases.get(lease_key(facts.env.subnet))
            if facts.own_item is not None:
                facts.ttl = store.ttl_left([facts.own_item]).get(facts.own_item.key)
    except OverlayError as error:
        facts.etcd_error = error


def _gather_disk(facts: Facts) -> None:
    folder = facts.setup.state_dir
    try:
        found = os.statvfs(folder)
    except OSError:
        return
    inodes = found.f_favail if found.f_files else None
    facts.disk = Disk(str(folder), found.f_bavail * found.f_frsize, inodes, bool(found.f_flag & os.ST_RDONLY))


def _gather_subnet_file(facts: Facts) -> None:
    path = facts.setup.subnet_file
    try:
        facts.env = parse_subnet_env(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        facts.env_error = f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
    except (OverlayError, UnicodeDecodeError) as error:
        facts.env_error = str(error)


def _gather_lease(facts: Facts) -> None:
    netlink = Netlink()
    try:
        facts.addresses = {one.address for one in addresses(netlink)}
        facts.macs = {format_mac(one.mac) for one in links(netlink) if one.kind == KIND}
    finally:
        netlink.close()
    _gather_memory(facts)
    if facts.own_item is not None and facts.env is not None:
        try:
            facts.own = parse_lease(lease_key(facts.env.subnet), facts.own_item.value)
        except LeaseError:
            facts.own = None
    for name, item in facts.network.leases.items() if facts.network else ():
        try:
            facts.leases.append(parse_lease(name, item.value))
        except LeaseError:
            continue  # the peer table reports it


def _gather_memory(facts: Facts) -> None:
    """Add the MAC in the memory file; note a memory file of another machine."""
    path = facts.setup.options.memory_file
    try:
        remembered = json.loads(path.read_text(encoding="utf-8"))
        owner, mac = remembered["machine_id"], remembered["mac"]
        if owner != machine_id():
            facts.other_machine = str(path)
        elif mac:
            facts.macs.add(format_mac(parse_mac(mac)))
    except (OSError, ValueError, KeyError, TypeError):
        return


def _gather_join(facts: Facts) -> None:
    """Ask the rules by which overlayd refuses to join: own addresses, MTU, overlaps, commands."""
    if facts.config is None or facts.underlay is None:
        return
    config, options = facts.config, facts.setup.options
    endpoints = _addresses_of(facts)
    own = facts.env.subnet if facts.env is not None else None
    networks = read_host_networks(endpoints)
    facts.overlaps = network_problems(config, networks, facts.underlay.name, own, option_names("overlay_"))
    if facts.overlaps or (config.backend.type == EXTENSION and options.extension_commands != "none"):
        return
    try:
        settings = options.host_settings()._replace(subnet_file=Path(facts.setup.subnet_file))
        identity = Identity(settings, None if facts.other_machine else recall(settings.memory_file))
        identity.keeps_key = False
        identity.claim(config)
    except OverlayError as error:
        facts.join_error = str(error)


def _addresses_of(facts: Facts) -> list[int]:
    """Return the endpoints that are addresses."""
    found = []
    for endpoint in facts.setup.connection.parsed_endpoints:
        try:
            found.append(parse_ipv4(endpoint.host))
        except ValueError:
            continue
    return found


def _gather_view(facts: Facts) -> None:
    """Compare the kernel with the leases in etcd, or with those in the memory file if etcd cannot be read."""
    if facts.etcd_error is not None:
        known = _remembered(facts)
    elif facts.config is not None and facts.network is not None and facts.own is not None:
        known = facts.config, facts.network, facts.own
    else:
        known = None
    if known is None:
        return
    config, network, own = known
    try:
        underlay = facts.underlay or choose_underlay((), (), "", format_ipv4(own.public_ip))[0]
        networks = read_host_networks(_addresses_of(facts))
        unreachable = facts.setup.options.ip_blackhole_route if facts.runs_overlayd else None
        facts.view = read_view(config, network, own, underlay, networks, unreachable, keep=True)
    except OverlayError as error:
        facts.view_error = str(error)
        return
    facts.strict = strict_devices(facts.view)


def _remembered(facts: Facts) -> tuple[NetworkConfig, StoredNetwork, SubnetLease] | None:
    """Return the config, the leases and the own lease in overlayd's memory file, None if it has none for this host."""
    path = facts.setup.options.memory_file
    if facts.other_machine or not path.exists():
        return None
    memory = recall(path)
    name = lease_key(memory.own_subnet()) if memory is not None else ""
    if memory is None or name not in memory.leases:
        return None
    try:
        own = parse_lease(name, memory.leases[name])
    except LeaseError:
        return None
    facts.remembered = max(0.0, facts.now - path.stat().st_mtime)
    network = StoredNetwork(None, memory.lease_items(), (), frozenset(), 0)
    return NetworkConfig.parse(memory.config), network, own
