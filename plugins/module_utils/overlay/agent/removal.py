# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd --remove: takes away all that the agent made on this host, and the lease where asked to."""

from __future__ import annotations

import logging
from pathlib import Path

from ..kernel.dataplane import Dataplane
from ..kernel.firewall import Firewall
from ..kernel.plan import DesiredState, plan
from ..model.errors import KernelError
from ..model.network import NetworkConfig
from ..store.connect import connect
from ..store.connection import EtcdConnection
from .keeper import Claim, LeaseKeeper
from .memory import Memory, memory_file, recall
from .options import Options

log = logging.getLogger("overlayd")


def remove(options: Options, connection: EtcdConnection) -> int:
    """Remove routes, device, firewall rules, subnet file and memory; return the exit status.

    What to remove is known from the memory file; without one there is nothing of ours but firewall rules. The lease
    is given back first: while it stands, other hosts still send here.
    """
    path = memory_file(options.state_dir, options.etcd_prefix)
    memory = recall(path)
    if options.release and memory is not None:
        _release(options, connection, memory)
    if memory is not None:
        dataplane = Dataplane()
        clear_kernel(dataplane, memory)
        dataplane.close()
    for line in Firewall.remove():
        log.info("firewall: %s", line)
    Path(options.subnet_file).unlink(missing_ok=True)
    for file in (path, path.with_suffix(".lock")):
        file.unlink(missing_ok=True)
    return 0


def clear_kernel(dataplane: Dataplane, memory: Memory) -> None:
    """Remove the device and every route of the network that is remembered; raise KernelError naming what stays."""
    network = NetworkConfig.parse(memory.config).network
    nothing = DesiredState()
    observed = dataplane.observe(nothing, network, [memory.device] if memory.device else [])
    failures = dataplane.apply(plan(nothing, observed))
    if failures:
        raise KernelError("the kernel refused to remove: " + "; ".join(map(str, failures)))


def _release(options: Options, connection: EtcdConnection, memory: Memory) -> None:
    store = connect(connection, options.etcd_prefix)
    keeper = LeaseKeeper(store, options.etcd_prefix, 0.0)
    items, _ = store.snapshot(f"{options.etcd_prefix}/subnets")
    held = keeper.find(Claim(memory.own_address(), "", None), items)
    if held is None:
        log.info("there is no lease of this host in etcd")
    elif held.item.reservation:
        log.info("lease %s is a reservation and stays with this host", held.lease.key)
    else:
        keeper.release(held)
        log.info("released lease %s", held.lease.key)
