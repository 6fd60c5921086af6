# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What this host was before this start: from overlayd's memory and from the subnet file, the newer of them first.

overlayd writes both, the subnet file first. A subnet file that is newer than the memory was therefore written by
another program after overlayd ran here: by flanneld, or by the module overlay_route. Its subnet is the one that Docker
has, and the tunnel device is the one that program used. After a reboot there is no subnet file below /run, and the
memory is what counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..model.addresses import Subnet
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from ..model.state import VxlanDevice
from ..model.subnet_env import SubnetEnv, parse_subnet_env
from .files import read_text
from .log import log
from .memory import Memory


class Held(NamedTuple):
    """A subnet that this host held, and the public address in its lease, None where that is not known."""

    subnet: Subnet
    public_ip: int | None


class Former(NamedTuple):
    """What this host was; ``held`` has the newest subnet first, ``macs`` the remembered MAC by device.

    ``device_wins`` is true where the MAC of a device that exists is newer than the remembered one.
    """

    held: tuple[Held, ...] = ()
    networks: frozenset[Subnet] = frozenset()
    macs: tuple[tuple[str, bytes], ...] = ()
    device_wins: bool = False


def former_host(memory: Memory | None, memory_path: Path, subnet_file: Path) -> Former:
    """Return what this host was before; ``memory`` is what was read from ``memory_path``."""
    env = _read(subnet_file)
    networks = frozenset([env.network] if env else [])
    if memory is None:
        return Former((Held(env.subnet, None),) if env else (), networks, device_wins=True)
    mac = memory.own_mac()
    macs = ((memory.device, mac),) if mac is not None else ()
    networks |= {NetworkConfig.parse(memory.config).network}
    remembered = Held(memory.own_subnet(), memory.own_address())
    if env is None or not _is_newer(subnet_file, memory_path):
        return Former((remembered,), networks, macs)
    if env.subnet != remembered.subnet:
        log.info(
            "%s is newer than %s: this host's subnet is %s, not %s", subnet_file, memory_path, env.subnet, memory.subnet
        )
    return Former((Held(env.subnet, remembered.public_ip), remembered), networks, macs, device_wins=True)


def former_devices(memory: Memory | None, device: VxlanDevice | None) -> list[str]:
    """Return the device that is remembered, where it is not the one there should be now."""
    name = device.name if device else ""
    return [memory.device] if memory is not None and memory.device not in ("", name) else []


def former_network(memory: Memory | None, config: NetworkConfig) -> Subnet | None:
    """Return the overlay network that is remembered, where it is not the one of the config."""
    network = NetworkConfig.parse(memory.config).network if memory is not None else config.network
    return None if network == config.network else network


def _read(subnet_file: Path) -> SubnetEnv | None:
    try:
        text = read_text(subnet_file)
        return None if text is None else parse_subnet_env(text, str(subnet_file))
    except OverlayError as error:
        log.warning("the former subnet is not known: %s", error)
        return None


def _is_newer(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_mtime_ns > other.stat().st_mtime_ns
    except OSError:
        return False
