# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd --dry-run: says what a start would change on this host, and changes nothing here or in etcd."""

from __future__ import annotations

from ..backends import backend_for
from ..kernel.dataplane import Dataplane
from ..model.allocation import choose_subnet
from ..model.network import NetworkConfig
from ..store.connect import connect
from ..store.connection import EtcdConnection
from ..store.errors import ConfigMissingError
from .identity import Identity
from .keeper import own_leases, taken_subnets
from .memory import memory_file, recall
from .options import Options
from .session import Session, firewall_for
from .status import Status


def preview(options: Options, connection: EtcdConnection) -> int:
    """Print the subnet this host has or would lease, then a line for each change; return the exit status."""
    identity = Identity(options, recall(memory_file(options.state_dir, options.etcd_prefix)))
    prefix = options.etcd_prefix
    store = connect(connection, prefix)
    items, _ = store.snapshot(prefix)
    if f"{prefix}/config" not in items:
        raise ConfigMissingError(f"there is no network config at {prefix}/config")
    config = NetworkConfig.parse(items[f"{prefix}/config"].value)
    leases = {key: item for key, item in items.items() if key.startswith(f"{prefix}/subnets/")}
    claim = identity.claim(config)
    held = next((lease for lease, _ in own_leases(claim, leases) if config.fits(lease.subnet)), None)
    if held is not None:
        own = held.subnet
        print(f"# holds lease {held.key}")
    else:
        own = choose_subnet(config, taken_subnets(leases), claim.previous_subnet)
        print(f"# would lease a subnet, such as {own}")
    backend = backend_for(config, identity.underlay, own, identity.mac_for(config))
    session = Session(config, own, backend, Dataplane(), firewall_for(options, config, own), Status())
    session.table.reset(leases)
    for line in session.preview():
        print(line)
    return 0
