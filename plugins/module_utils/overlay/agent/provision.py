# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tunnel device that a coming lease of this host names: it must exist before other hosts send to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from ..backends.by_lease import ByLease
from ..host.log import log
from ..host.peer_table import readable_leases
from ..kernel.dataplane import Dataplane
from ..kernel.plan import KernelPlan
from ..kernel.state import Row
from ..kernel.tables import TABLES
from ..kernel.tables.device import Device, DeviceTable
from ..model.errors import OverlayError
from .messages import DeviceProblem, LeaseChanges


def provide_device(
    dataplane: Dataplane, backend: ByLease, change: LeaseChanges, stop_process: Callable[[str], object]
) -> list[DeviceProblem]:
    """Create the tunnel device of the lease, if it does not exist; return what the kernel refused.

    A device that was created in part is deleted again, and its process is stopped, unless the process only needs more
    time and the message is not the last one. Raise OverlayError if the kernel cannot be read.
    """
    device = backend.device
    if device is None:
        return []
    existed = dataplane.ifindex(device.name) is not None
    # The subnet of a network with another range is not known yet: only the device is created.
    fits = change.config.fits(change.subnet)
    rows: Sequence[Row] = backend.prepared_rows(readable_leases(change.leases)) if fits else [cast(Row, device)]
    failures = dataplane.create_missing(rows, change.config.network)
    waits = all(failure.is_temporary for failure in failures) and not change.is_last
    if not existed and not waits and any(failure.step.creates == device.name for failure in failures):
        _delete(dataplane, device)
        for process in (device.name, change.config.backend.type):  # wireguard-go has the name of the device
            stop_process(process)
    return [DeviceProblem(str(failure), failure.is_temporary) for failure in failures]


def _delete(dataplane: Dataplane, device: Device) -> None:
    for table in TABLES:
        if isinstance(table, DeviceTable) and table.row is type(device):
            try:
                dataplane.apply(KernelPlan((table.deletion(device.name),)))
            except OverlayError as error:
                log.warning("device %s, which was created in part, was not deleted: %s", device.name, error)
