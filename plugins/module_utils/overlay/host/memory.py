# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory file: this host's subnet, MAC and last known leases, kept over a reboot and an outage of etcd."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..model.addresses import Subnet, parse_ipv4, parse_mac
from ..model.errors import OverlayError
from ..model.network import NetworkConfig
from ..named_tuple import NamedTuple
from ..store.protocol import Item
from .files import read_text, write_atomically
from .log import log

DEFAULT_STATE_DIR = "/var/lib/overlayd"
MACHINE_ID = Path("/etc/machine-id")


class Memory(NamedTuple):
    """The last known state, all values as text; config and leases (lease name to value) as in etcd."""

    machine_id: str
    subnet: str
    public_ip: str
    mac: str
    device: str
    config: str
    leases: Mapping[str, str] = {}

    def check(self) -> None:
        """Raise ConfigError, TypeError or ValueError if a value cannot be used."""
        texts = [value for name, value in self._asdict().items() if name != "leases"]
        if not all(isinstance(text, str) for text in (*texts, *self.leases, *dict(self.leases).values())):
            raise TypeError("a value is not text")
        NetworkConfig.parse(self.config)
        self.own_subnet(), self.own_mac(), self.own_address()

    def own_subnet(self) -> Subnet:
        """Return this host's subnet."""
        return Subnet.parse(self.subnet)

    def own_mac(self) -> bytes | None:
        """Return the MAC of its tunnel device, None if the backend has no device."""
        return parse_mac(self.mac) if self.mac else None

    def own_address(self) -> int:
        """Return the public IP in its lease."""
        return parse_ipv4(self.public_ip)

    def lease_items(self) -> dict[str, Item]:
        """Return the leases as items of etcd by lease name.

        Their revisions are negative: in the order in which they were written, and older than all revisions of etcd.
        """
        names = enumerate(self.leases, -len(self.leases))
        return {name: Item(name, self.leases[name], revision) for revision, name in names}


def machine_id() -> str:
    """Return this machine's machine-id (machine-id(5)), "" if it has none."""
    return (read_text(MACHINE_ID) or "").strip()


def memory_file(state_dir: str, prefix: str) -> Path:
    """Return the path of the memory file of one overlay network."""
    # Each prefix has its own name: /a/b, /a-b and a/b are three networks.
    name = prefix.strip("/").replace("%", "%25").replace("-", "%2D").replace("/", "-")
    name = name if prefix.startswith("/") or not prefix else f"%_{name}"
    return Path(state_dir) / f"{name}.json"


def recall(path: Path) -> Memory | None:
    """Return the content of the memory file; None if it does not exist, is damaged, or has another machine-id.

    An image of a running host contains that host's file. With another machine-id the copy does not claim the
    original's subnet.
    """
    try:
        text = read_text(path)
        if text is None:
            return None
        memory = Memory(**json.loads(text))
        memory.check()
    except (OverlayError, ValueError, TypeError, RecursionError) as error:
        log.warning("memory file %s is damaged and is not used: %s", path, error)
        return None
    if memory.machine_id != machine_id():
        log.warning("memory file %s belongs to another machine and is not used", path)
        return None
    return memory


def remember(path: Path, memory: Memory) -> None:
    """Write the memory file for the next start; raise OverlayError."""
    write_atomically(path, json.dumps(memory._asdict()), mode=0o600)
