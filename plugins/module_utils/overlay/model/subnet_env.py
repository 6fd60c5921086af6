# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The subnet file (subnet.env): subnet, MTU and masquerading of this host, read when Docker starts."""

from __future__ import annotations

from ..named_tuple import NamedTuple
from .addresses import Subnet
from .errors import OverlayError

DEFAULT_SUBNET_FILE = "/run/flannel/subnet.env"


class SubnetEnv(NamedTuple):
    """The four values of the file; ``mtu`` is in bytes; Docker must not masquerade if ``ip_masq`` is true."""

    network: Subnet
    subnet: Subnet
    mtu: int
    ip_masq: bool

    @property
    def bip(self) -> str:
        """The bridge's address with the subnet's prefix length, for dockerd's --bip."""
        return f"{self.subnet.host(1)}/{self.subnet.length}"

    def render(self) -> str:
        """Return the file's text, in flannel's order."""
        return (
            f"FLANNEL_NETWORK={self.network}\nFLANNEL_SUBNET={self.bip}\n"
            f"FLANNEL_MTU={self.mtu}\nFLANNEL_IPMASQ={str(self.ip_masq).lower()}\n"
        )


def parse_subnet_env(text: str, source: str = DEFAULT_SUBNET_FILE) -> SubnetEnv:
    """Return the values of a subnet file's text; raise OverlayError naming the file, the key and the value."""
    given = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))

    def want(key: str) -> str:
        if key not in given:
            raise OverlayError(f"{source}: {key} is missing; check whether the overlay agent runs")
        return given[key].strip().strip("\"'")

    try:
        network = Subnet.parse_interface(want("FLANNEL_NETWORK"))[0]
        subnet = Subnet.parse_interface(want("FLANNEL_SUBNET"))[0]
        mtu = int(want("FLANNEL_MTU"))
    except ValueError as error:
        raise OverlayError(f"{source}: {error}") from None
    masq = want("FLANNEL_IPMASQ")
    if masq not in ("true", "false"):
        raise OverlayError(f"{source}: FLANNEL_IPMASQ {masq!r} is neither true nor false")
    return SubnetEnv(network, subnet, mtu, masq == "true")
