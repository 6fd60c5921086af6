# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd --dry-run: prints what a start would change on this host; changes nothing on the host or in etcd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..host.claim import own_leases
from ..host.former import former_devices, former_network
from ..host.identity import Identity
from ..host.memory import recall
from ..host.reach import reach
from ..kernel.dataplane import Dataplane
from ..model.allocation import choose_subnet, taken_subnets
from ..model.backends import EXTENSION
from ..store.api_choice import connect
from ..store.connection import EtcdConnection
from ..store.schema import Keys, read_network
from ..store.stored_config import parse_config
from .options import Options
from .removal import clearing
from .rivals import is_certain
from .session import Session, firewall_for
from .status import Status

if TYPE_CHECKING:
    from .extension import ExtensionThread


def preview(options: Options, connection: EtcdConnection) -> int:
    """Print the lease that this host holds or would get, then a line for each change; return the exit status."""
    memory = recall(options.memory_file)
    commands = _commands(options)
    identity = Identity(options.host_settings(), memory, commands.known_data if commands else None)
    identity.keeps_key = False
    store = connect(connection, options.etcd_prefix)
    keys = Keys(store.root(options.etcd_prefix))
    network = read_network(store, keys)
    config = parse_config(store, keys, network.config)
    claim = identity.claim(config)
    held = next((one for one in own_leases(claim, network.leases) if config.fits(one[0].subnet)), None)
    if held is not None:
        lease, item = held
        own = lease.subnet
        if is_certain(claim, lease, item):
            headline = f"# holds lease {lease.key}"
        else:
            headline = f"# would take over lease {lease.key}, unless another host holds it"
    else:
        own = choose_subnet(config, taken_subnets(config, network.values(), network.directories), claim.previous_subnet)
        headline = f"# would lease a subnet, such as {own}"
    dataplane, former = Dataplane(), former_network(memory, config)
    end, wireguard = identity.end_for(config), identity.wireguard_end
    backend = reach(config, identity.underlay, own, end, dataplane, wireguard=wireguard)
    leftovers = former_devices(memory, backend.device)
    firewall, reserved = firewall_for(options, config, own), identity.reserved(config, own)
    unreachable = options.ip_blackhole_route
    session = Session(config, own, backend, dataplane, firewall, Status(), leftovers, reserved, unreachable)
    session.table.reset(network.leases)
    lines = map(str, clearing(dataplane, former).steps if former else ())
    peers = session.table.admitted(EXTENSION)
    runs = commands.preview(config, own, identity.public_ip, peers) if commands else []
    sys.stdout.writelines(f"{line}\n" for line in dict.fromkeys((headline, *lines, *session.preview(), *runs)))
    return 0


def _commands(options: Options) -> ExtensionThread | None:
    if not options.has_commands:
        return None
    from .extension import extension_of  # most hosts do not permit commands

    return extension_of(options)
