# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd --remove: takes away all that the agent made on this host, and the lease where asked to."""

from __future__ import annotations

import logging
from pathlib import Path

from ..kernel.dataplane import Dataplane
from ..kernel.firewall import Firewall
from ..kernel.plan import DesiredState, plan
from ..model.errors import KernelError, OverlayError
from ..model.network import NetworkConfig
from ..store.connect import connect
from ..store.connection import EtcdConnection
from .identity import Identity
from .keeper import Claim, LeaseKeeper, own_leases
from .lock import hold_lock, lock_file
from .memory import Memory, memory_file, recall
from .options import Options

log = logging.getLogger("overlayd")


def remove(options: Options, connection: EtcdConnection) -> int:
    """Remove routes, device, firewall rules, subnet file and memory; return the exit status.

    What to remove is known from the memory file. The lease is given back first: while it stands, other hosts still
    send here. Raise OverlayError while overlayd runs, as it would bring everything back.
    """
    path = memory_file(options.state_dir, options.etcd_prefix)
    hold_lock(path)
    memory = recall(path)
    if options.release:
        _release(options, connection, memory.own_address() if memory else Identity(options, None).public_ip)
    if memory is not None:
        dataplane = Dataplane()
        clear_kernel(dataplane, memory)
        dataplane.close()
    else:
        log.warning("%s is not there, which says what overlayd made: no device and no route is removed", path)
    for line in Firewall.remove():
        log.info("firewall: %s", line)
    for file in (Path(options.subnet_file), path, lock_file(path)):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise OverlayError(f"cannot remove {file}: {error.strerror}") from error
    return 0


def clear_kernel(dataplane: Dataplane, memory: Memory) -> None:
    """Remove the device and every route of the network that is remembered; raise KernelError naming what stays."""
    network = NetworkConfig.parse(memory.config).network
    nothing = DesiredState()
    observed = dataplane.observe(nothing, network, [memory.device] if memory.device else [])
    failures = dataplane.apply(plan(nothing, observed))
    if failures:
        raise KernelError("the kernel refused to remove: " + "; ".join(map(str, failures)))


def _release(options: Options, connection: EtcdConnection, public_ip: int) -> None:
    store = connect(connection, options.etcd_prefix)
    keeper = LeaseKeeper(store, options.etcd_prefix, 0.0)
    items, _ = store.snapshot(f"{options.etcd_prefix}/subnets")
    own = own_leases(Claim(public_ip, "", None), items)
    if not own:
        log.info("there is no lease of this host in etcd")
    for lease, item in own:
        if keeper.release(item):
            log.info("released lease %s", lease.key)
        else:
            log.info("lease %s is a reservation and stays with this host", lease.key)
