# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd --remove: removes everything that overlayd created on this host, with --release also its lease."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..host.claim import Claim, own_leases
from ..host.device_process import stop_process
from ..host.files import temporary_files
from ..host.former import former_devices
from ..host.identity import WIREGUARD_KEY, Identity
from ..host.lock import hold_lock, lock_file
from ..host.log import log
from ..host.memory import Memory, recall
from ..kernel.dataplane import Dataplane
from ..kernel.firewall.rules import Firewall
from ..kernel.plan import KernelPlan, plan
from ..kernel.state import DesiredState
from ..kernel.tables.device import DeleteDevice
from ..model.addresses import Subnet, format_mac
from ..model.errors import KernelError, OverlayError
from ..model.network import NetworkConfig
from ..store.api_choice import connect
from ..store.connection import EtcdConnection
from ..store.reachable import reachable_first
from ..store.schema import Keys, read_network
from .keeper import LeaseKeeper
from .options import Options
from .rivals import is_certain

UDP, UDP_DEVICE = "udp", "flannel0"  # as in model/backends/udp.py, which is imported only if it is needed
WIREGUARD_DEVICE = "flannel-wg"


def remove(options: Options, connection: EtcdConnection) -> int:
    """Remove routes, device, firewall rules, subnet file and memory file; return the exit status.

    Peers that the extension backend added are removed by its commands; the status is 1 if one of these fails.

    The memory file has the device and the network to remove. The lease is released first, so that other hosts stop
    sending packets to this host. Raise OverlayError if overlayd runs, because it would create everything again.
    """
    path = options.memory_file
    hold_lock(path)
    memory = recall(path)
    if options.release:
        release_leases(options, connection, memory)
    problems = _remove_commanded(options, memory)
    devices = _stop_processes(path.parent)
    if memory is not None:
        _remove_from_kernel(memory, devices)
    else:
        log.warning(
            "no device of vxlan or ipip and no route of host-gw is removed: memory file %s, which names them, does not "
            "exist",
            path,
        )
        _delete_devices(path.parent, devices)
    for line in Firewall.none(NetworkConfig.parse(memory.config).network).apply() if memory else Firewall.remove():
        log.info("firewall: %s", line)
    _remove_files(options)
    return 1 if problems else 0


def _stop_processes(folder: Path) -> list[str]:
    """Stop all companion processes, before devices are read, because a frozen process would not answer.

    Return the names of the devices that still exist and that belong to overlayd, as the files of these processes show.
    """
    names = {file.stem for file in folder.glob("*.companion")}
    names.update(name for name in (UDP, WIREGUARD_DEVICE) if (folder / f"{name}.lock").exists())
    is_udp = UDP in names or (folder / "udp.py").exists()
    for name in names:
        stop_process(folder, name)
    if is_udp:
        from ..host.udp_process import UdpProcess

        UdpProcess(folder).remove()
    if WIREGUARD_DEVICE in names:
        from ..kernel.wireguard.uapi import FOLDER

        Path(FOLDER, f"{WIREGUARD_DEVICE}.sock").unlink(missing_ok=True)
    return [UDP_DEVICE] if is_udp else []


def _remove_from_kernel(memory: Memory, own_devices: Collection[str]) -> None:
    network, dataplane = NetworkConfig.parse(memory.config).network, Dataplane()
    further = dataplane.tunnels().with_address(memory.own_subnet().first)
    devices = {*former_devices(memory, None), *further, *own_devices}
    failures = dataplane.apply(clearing(dataplane, network, sorted(devices)))
    dataplane.close()
    _raise(failures)


def _delete_devices(folder: Path, own_devices: Collection[str]) -> None:
    """Delete the devices that are overlayd's without a memory file: these, and the one with its WireGuard key."""
    dataplane = Dataplane()
    found = dataplane.tunnels().devices
    names = [name for name in own_devices if name in found]
    if WIREGUARD_DEVICE in found and (folder / WIREGUARD_KEY).exists():
        from ..host.wireguard import has_key

        names += [WIREGUARD_DEVICE] if has_key(found[WIREGUARD_DEVICE], folder) else []
    failures = dataplane.apply(KernelPlan(tuple(DeleteDevice(name) for name in names)))
    dataplane.close()
    _raise(failures)


def _raise(failures: Collection[object]) -> None:
    if failures:
        raise KernelError("the kernel refused to remove: " + "; ".join(map(str, failures)))


def _remove_files(options: Options) -> None:
    path, subnet_file = options.memory_file, Path(options.subnet_file)
    files = [subnet_file, path, lock_file(path), path.parent / WIREGUARD_KEY]
    for file in (*files, *temporary_files(path.parent), *temporary_files(subnet_file.parent, subnet_file.name)):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise OverlayError(f"cannot remove {file}: {error.strerror}") from error


def _remove_commanded(options: Options, memory: Memory | None) -> list[str]:
    """Remove the peers that the extension backend's commands added; log and return those that were not removed."""
    if not options.extension_file.exists():
        return []
    from .extension import remove_all  # most hosts never ran a command

    problems = remove_all(options, str(NetworkConfig.parse(memory.config).network) if memory else "")
    for problem in problems:
        log.error("%s; remove the peer by hand", problem)
    return problems


def clearing(dataplane: Dataplane, network: Subnet, devices: Collection[str] = ()) -> KernelPlan:
    """Return the steps that remove these devices and all routes of overlayd into a network."""
    nothing = DesiredState()
    return plan(nothing, dataplane.observe(nothing, network, devices))


def clear_former(dataplane: Dataplane, network: Subnet) -> None:
    """Remove all routes of overlayd into a former network; failures are only logged."""
    try:
        failures = dataplane.apply(clearing(dataplane, network))
    except OverlayError as error:
        log.error("routes of the former network %s were not removed: %s", network, error)
    else:
        for failure in failures:
            log.error("a route of the former network %s was not removed: %s", network, failure)


def release_leases(options: Options, connection: EtcdConnection, memory: Memory | None) -> None:
    """Delete this host's leases in etcd, except for reservations; raise OverlayError if etcd cannot be used."""
    store = connect(reachable_first(connection), options.etcd_prefix)
    keys = Keys(store.root(options.etcd_prefix))
    keeper = LeaseKeeper(store, keys, 0.0)
    claim = _claim(options, memory)
    own = own_leases(claim, read_network(store, keys).leases)
    if not own:
        log.info("no lease to release: etcd has no lease of this host")
    for lease, item in own:
        if memory is not None and not is_certain(claim, lease, item):
            log.warning("lease %s is kept: it may belong to another host with the same public IP", lease.key)
        elif keeper.release(item):
            log.info("released lease %s", lease.key)
        else:
            log.info("lease %s is kept: it is a reservation for this host", lease.key)


def _claim(options: Options, memory: Memory | None) -> Claim:
    """Return the claim by which the leases of this host are recognized."""
    if memory is None:
        return Claim(Identity(options.host_settings(), None).public_ip, "", None)
    mac = memory.own_mac()
    macs = frozenset([format_mac(mac)] if mac else [])
    return Claim(memory.own_address(), "", None, memory.own_subnet(), memory.own_address(), macs)
