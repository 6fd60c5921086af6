# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts about a host that the checks judge, gathered once by gather.py. What is unknown is None, "" or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.addresses import Subnet
from ..model.errors import OverlayError
from ..model.lease import SubnetLease
from ..model.network import NetworkConfig
from ..model.subnet_env import SubnetEnv
from ..model.underlay import Underlay
from ..named_tuple import NamedTuple
from ..store.protocol import Item
from ..store.schema import StoredNetwork
from .agent_service import Service
from .certificate import Certificate
from .dockerd import Bridge
from .endpoints import Member
from .setup import Setup
from .user_networks import UserNetwork
from .view import View


class Disk(NamedTuple):
    """The file system of the state folder: free bytes, free inodes (None if it has no limit), mounted read-only."""

    folder: str
    free: int
    inodes: int | None
    read_only: bool


class Drop(NamedTuple):
    """A firewall rule or policy that drops packets of the overlay: where it is, how it is shown, and which packets.

    ``cure`` is the command that lets the packets pass, "" if it is not known.
    """

    where: str
    rule: str
    show: str
    cure: str = ""
    what: str = "forwarded packets of the overlay"


class Strict(NamedTuple):
    """Peers whose packets arrive on a device with strict reverse path filtering, but are answered by another one."""

    device: str
    peers: tuple[Subnet, ...]


class Manager(NamedTuple):
    """A program that manages a device of the overlay."""

    program: str
    device: str
    state: str


class Docker(NamedTuple):
    """Docker on this host.

    ``flags`` are those of the running dockerd, ``in_file`` are the overlay's options in daemon.json, ``twice`` those
    that are set in both places. ``strangers`` are the containers on docker0 outside of this host's subnet.
    ``networks`` are the user-defined bridge networks, ``containers`` the number of containers by network.
    """

    state: str
    bridge: Bridge
    flags: Mapping[str, str] | None = None
    version: tuple[int, int] | None = None
    ordered: bool | None = None
    twice: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    in_file: Mapping[str, object] = {}
    networks: tuple[UserNetwork, ...] = ()
    containers: Mapping[str, int] = {}


class Reach(NamedTuple):
    """Answers of a peer; None for a probe that was not made.

    ``overlay`` and ``full``: a small and a full-sized packet through the overlay; ``largest``: the largest size (bytes)
    that passed, if the full-sized one did not. ``host``: a ping of its public IP. ``listens``: False if it refused a
    packet to the tunnel's UDP port. ``checksum``: False if a UDP packet passes only without checksum.
    """

    subnet: Subnet
    host_address: str
    overlay: bool
    full: bool | None = None
    largest: int = 0
    host: bool | None = None
    listens: bool | None = None
    checksum: bool | None = None
    delay: float | None = None


@dataclass
class Facts:
    """All facts about one host.

    ``suspects`` are ends of chains that may drop the tunnel packets: only with a silent peer they are a finding.
    ``remembered`` is the age in seconds of the memory file, if etcd cannot be read and ``view`` is from that file.
    """

    setup: Setup
    now: float
    underlay: Underlay | None = None
    public_ip: int | None = None
    underlay_error: str = ""
    certificates: list[Certificate] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    etcd_error: OverlayError | None = None
    api: str = ""
    network: StoredNetwork | None = None
    config: NetworkConfig | None = None
    config_error: OverlayError | None = None
    nested: list[str] = field(default_factory=list)
    join_error: str = ""
    overlaps: list[str] = field(default_factory=list)
    disk: Disk | None = None
    services: list[Service] = field(default_factory=list)
    agent: Service | None = None
    changed_files: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    stuck: bool = False
    other_machine: str = ""
    env: SubnetEnv | None = None
    env_error: str = ""
    own_item: Item | None = None
    own: SubnetLease | None = None
    ttl: int | None = None
    addresses: set[int] = field(default_factory=set)
    macs: set[str] = field(default_factory=set)
    leases: list[SubnetLease] = field(default_factory=list)
    view: View | None = None
    view_error: str = ""
    remembered: float | None = None
    forwarding: str = ""
    strict: list[Strict] = field(default_factory=list)
    firewall: list[str] = field(default_factory=list)
    firewall_error: str = ""
    drops: list[Drop] = field(default_factory=list)
    suspects: list[Drop] = field(default_factory=list)
    managers: list[Manager] = field(default_factory=list)
    docker: Docker | None = None
    denials: list[str] = field(default_factory=list)
    reach: list[Reach] = field(default_factory=list)

    @property
    def source(self) -> str | None:
        """Where the peers are from: "etcd", "memory" (the memory file), None if they are unknown."""
        return None if self.view is None else "etcd" if self.remembered is None else "memory"

    @property
    def runs_overlayd(self) -> bool:
        """Whether overlayd is this host's agent, as far as is known."""
        return self.agent is None or self.agent.unit.startswith("overlayd")
