# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""This host's state before this start: its former subnets, networks and MACs, from the memory file and the subnet file.

overlayd writes both files, the subnet file first. A subnet file that is newer than the memory file was therefore
written by another program after overlayd ran: by flanneld, or by the module overlay_route. Docker uses the subnet in
that file, and the tunnel device belongs to that program. After a reboot no subnet file exists below /run, and only the
memory file counts.
"""

from __future__ import annotations

from pathlib import Path

from ..kernel.tables.device import Device
from ..model.addresses import Subnet
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from ..model.subnet_env import SubnetEnv, parse_subnet_env
from ..named_tuple import NamedTuple
from .files import read_text
from .log import log
from .memory import Memory


class Held(NamedTuple):
    """A subnet that this host held, and the public IP in its lease (None if unknown)."""

    subnet: Subnet
    public_ip: int | None


class Former(NamedTuple):
    """Former state of this host; ``held`` has the newest subnet first, ``macs`` has pairs of device and MAC.

    ``device_wins`` is true if the MAC of an existing device is newer than the MAC in ``macs``. ``mtu`` is that of the
    subnet file, in bytes.
    """

    held: tuple[Held, ...] = ()
    networks: frozenset[Subnet] = frozenset()
    macs: tuple[tuple[str, bytes], ...] = ()
    device_wins: bool = False
    mtu: int | None = None


def former_host(memory: Memory | None, memory_path: Path, subnet_file: Path) -> Former:
    """Return the former state of this host; ``memory`` is the content of ``memory_path``."""
    env = _read(subnet_file)
    networks, mtu = frozenset([env.network] if env else []), env.mtu if env else None
    if memory is None:
        return Former((Held(env.subnet, None),) if env else (), networks, device_wins=True, mtu=mtu)
    mac = memory.own_mac()
    macs = ((memory.device, mac),) if mac is not None else ()
    networks |= {NetworkConfig.parse(memory.config).network}
    remembered = Held(memory.own_subnet(), memory.own_address())
    if env is None or not _is_newer(subnet_file, memory_path):
        return Former((remembered,), networks, macs, mtu=mtu)
    if env.subnet != remembered.subnet:
        log.info(
            "former subnet %s instead of %s: %s is newer than %s", env.subnet, memory.subnet, subnet_file, memory_path
        )
    return Former((Held(env.subnet, remembered.public_ip), remembered), networks, macs, device_wins=True, mtu=mtu)


def former_devices(memory: Memory | None, device: Device | None) -> list[str]:
    """Return the tunnel device in the memory file if it is not ``device``, the one of the current config."""
    name = device.name if device else ""
    return [memory.device] if memory is not None and memory.device not in ("", name) else []


def former_network(memory: Memory | None, config: NetworkConfig) -> Subnet | None:
    """Return the overlay network in the memory file if it is not the network of the config, else None."""
    network = NetworkConfig.parse(memory.config).network if memory is not None else config.network
    return None if network == config.network else network


def _read(subnet_file: Path) -> SubnetEnv | None:
    try:
        text = read_text(subnet_file)
        return None if text is None else parse_subnet_env(text, str(subnet_file))
    except OverlayError as error:
        log.warning("the former subnet is unknown: %s", error)
        return None


def _is_newer(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_mtime_ns > other.stat().st_mtime_ns
    except OSError:
        return False
