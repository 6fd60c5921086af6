# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the host remembers over a reboot and an etcd outage: who it is, its subnet, its MAC and the last known peers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..model.addresses import Subnet, parse_ipv4, parse_mac
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from .files import read_text, write_atomically
from .log import log

MACHINE_ID = Path("/etc/machine-id")


class Memory(NamedTuple):
    """The last known state, all as text: config as in etcd, leases as lease key to value as in etcd."""

    machine_id: str
    subnet: str
    public_ip: str
    mac: str
    device: str
    config: str
    leases: Mapping[str, str] = {}

    def check(self) -> None:
        """Raise ConfigError, TypeError or ValueError where something in it cannot be used."""
        texts = [value for name, value in self._asdict().items() if name != "leases"]
        if not all(isinstance(text, str) for text in (*texts, *self.leases, *dict(self.leases).values())):
            raise TypeError("something in it is not text")
        NetworkConfig.parse(self.config)
        self.own_subnet(), self.own_mac(), self.own_address()

    def own_subnet(self) -> Subnet:
        """Return the subnet this host held."""
        return Subnet.parse(self.subnet)

    def own_mac(self) -> bytes | None:
        """Return the MAC its tunnel device had, None where the backend has no device."""
        return parse_mac(self.mac) if self.mac else None

    def own_address(self) -> int:
        """Return the public address it was known by."""
        return parse_ipv4(self.public_ip)


def machine_id() -> str:
    """Return this machine's identity (machine-id(5)), empty where it has none."""
    return (read_text(MACHINE_ID) or "").strip()


def memory_file(state_dir: str, prefix: str) -> Path:
    """Return where the state of one overlay network is kept."""
    # No two prefixes may share a name: /a/b, /a-b and a/b are three networks.
    name = prefix.strip("/").replace("%", "%25").replace("-", "%2D").replace("/", "-")
    name = name if prefix.startswith("/") or not prefix else f"%_{name}"
    return Path(state_dir) / f"{name}.json"


def recall(path: Path) -> Memory | None:
    """Return what the file holds; None where there is none, it is damaged, or it came from another machine.

    An image copied from a running host brings that host's file along; the machine-id tells, so that the copy does not
    claim the original's subnet.
    """
    try:
        text = read_text(path)
        if text is None:
            return None
        memory = Memory(**json.loads(text))
        memory.check()
    except (OverlayError, ValueError, TypeError, RecursionError) as error:
        log.warning("%s is damaged (%s) and not used", path, error)
        return None
    if memory.machine_id != machine_id():
        log.warning("%s belongs to another machine and is not used", path)
        return None
    return memory


def remember(path: Path, memory: Memory) -> None:
    """Keep the state for the next start."""
    write_atomically(path, json.dumps(memory._asdict()), mode=0o600)
