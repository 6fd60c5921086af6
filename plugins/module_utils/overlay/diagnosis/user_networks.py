# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The division of a host's subnet between docker0 and the user-defined networks of Docker. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..model.addresses import ADDRESS_BITS, Subnet
from ..model.errors import OverlayError
from ..model.subnet_env import SubnetEnv
from ..named_tuple import NamedTuple

MTU_OPTION = "com.docker.network.driver.mtu"
SWARM_BRIDGE = "docker_gwbridge"
_DEFAULT_MTU = 1500  # bytes: Docker's for a network without the option
_LONGEST = 30  # the prefix length of a network with room for one container beside its gateway


class UserNetwork(NamedTuple):
    """A user-defined bridge network of Docker with its IPv4 range (None: it has none) and its MTU in bytes."""

    name: str
    subnet: Subnet | None
    mtu: int
    internal: bool

    def as_result(self) -> dict[str, Any]:
        """Return the network for the result of a module."""
        return {**self._asdict(), "subnet": str(self.subnet or "")}


def parse_network(shown: Mapping[str, Any]) -> UserNetwork:
    """Return a network from the output of docker network inspect."""
    ranges = [config.get("Subnet", "") for config in shown["IPAM"].get("Config") or []]
    ipv4 = [Subnet.parse_interface(text)[0] for text in ranges if "." in text and ":" not in text]
    mtu = (shown.get("Options") or {}).get(MTU_OPTION, "")
    return UserNetwork(
        shown["Name"],
        ipv4[0] if ipv4 else None,
        int(mtu) if mtu.isdigit() else _DEFAULT_MTU,
        bool(shown.get("Internal")),
    )


class UserNetworks(NamedTuple):
    """The prefix lengths of docker0's part of the subnet, which comes first, and of each user-defined network."""

    bridge_len: int
    network_len: int

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> UserNetworks | None:
        """Return the modules' option, None if it is not set; raise OverlayError for a wrong length."""
        if not given:
            return None
        found = cls(given["bridge_len"], given["network_len"])
        for name, length in zip(("bridge_len", "network_len"), found):
            if not 1 <= length <= _LONGEST:
                raise OverlayError(f"user_networks: {name} {length}: a prefix length is from 1 to {_LONGEST}")
        return found

    def bip(self, subnet: Subnet) -> str:
        """Return the address of docker0 with the length of its part of the subnet."""
        return f"{subnet.host(1)}/{self.bridge_len}"

    def pools(self, subnet: Subnet) -> list[Subnet]:
        """Return the parts of the subnet beside docker0's that have room for a network, the smallest one first.

        Raise OverlayError if there is none.
        """
        lengths = range(self.bridge_len, subnet.length, -1)
        found = [Subnet(subnet.first + (1 << (ADDRESS_BITS - length)), length) for length in lengths]
        if not found:
            raise OverlayError(
                f"user_networks: bridge_len {self.bridge_len}: docker0 would take the whole subnet {subnet} of this"
                f" host; use at least {subnet.length + 1}"
            )
        if self.network_len <= subnet.length:
            raise OverlayError(
                f"user_networks: network_len {self.network_len}: no part of the subnet {subnet} beside docker0 has room"
                f" for such a network; use at least {subnet.length + 1}"
            )
        return [pool for pool in found if pool.length <= self.network_len]

    def free(self, subnet: Subnet, networks: Iterable[UserNetwork]) -> int:
        """Return how many more networks the subnet has room for."""
        ranges = [each.subnet for each in networks if each.subnet is not None]
        size = 1 << (ADDRESS_BITS - self.network_len)
        blocks = (
            Subnet(first, self.network_len)
            for pool in self.pools(subnet)
            for first in range(pool.first, pool.last + 1, size)
        )
        return sum(not any(block.overlaps(taken) for taken in ranges) for block in blocks)


def network_problems(networks: Iterable[UserNetwork], env: SubnetEnv) -> list[str]:
    """Return a sentence for each network whose range belongs to another host."""
    return [
        f"the user-defined network {each.name} has the range {each.subnet}, which is outside of this host's subnet "
        f"{env.subnet}: packets to the host with that subnet are lost; {_again(each)}"
        for each in networks
        if each.subnet is not None and each.subnet.overlaps(env.network) and not env.subnet.covers(each.subnet)
    ]


def network_notes(networks: Iterable[UserNetwork], lengths: UserNetworks, env: SubnetEnv) -> list[str]:
    """Return a sentence for each network that is not, or not well, part of the overlay, and one if no range is free."""
    listed = [each for each in networks if each.subnet is not None and not each.internal]
    notes = []
    for each in listed:
        if each.subnet is not None and not each.subnet.overlaps(env.network):
            notes.append(
                f"the user-defined network {each.name} has the range {each.subnet}: other hosts cannot reach its "
                f"containers; {_again(each)}"
            )
        elif each.mtu > env.mtu:
            notes.append(
                f"the user-defined network {each.name} has MTU {each.mtu}: packets larger than {env.mtu} bytes reach "
                f"other hosts only by path MTU discovery; {_again(each)}, with the driver option "
                f"com.docker.network.driver.mtu={env.mtu} if Docker is older than 24.0"
            )
    if not lengths.free(env.subnet, networks):
        notes.append(
            f"all ranges for user-defined networks in {env.subnet} are in use: the next docker network create fails; "
            f"remove unused networks (docker network prune), or change docker_user_networks"
        )
    return notes


def _again(network: UserNetwork) -> str:
    return f"remove it and create it again (docker compose down and up, or docker network rm {network.name})"
