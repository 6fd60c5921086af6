# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each backend owes to a host: the same life of a host and its peers, for the tests of each backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp import protocol

from support import wireguard
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network

FIRST, FIRST_HOST, MOVED_HOST = "10.50.201.0/24", "192.0.2.77", "192.0.2.78"
SECOND, SECOND_HOST = "10.50.202.0/24", "192.0.2.79"
BAD = "10.50.203.0/24"
WITNESS = "10.50.204.0/24"  # of a peer with host-gw, which each backend routes
MACS = {FIRST: "0e:00:00:00:00:77", SECOND: "0e:00:00:00:00:79"}
KEYS = {subnet: wireguard.random_key() for subnet in MACS}
COMMANDS = {
    "SubnetAddCommand": "ip route add $SUBNET via $PUBLIC_IP",
    "SubnetRemoveCommand": "ip route del $SUBNET via $PUBLIC_IP",
}


class Contract(NamedTuple):
    """What a backend makes of a host and of its peers.

    ``data`` are the fields of BackendData. ``ways`` returns where packets to each subnet leave to, as text that
    contains the address of the peer's host; it is None for a backend that leaves the peers to the operator.
    """

    type: str
    overhead: int
    device: str = ""
    options: Mapping[str, Any] | None = None
    data: frozenset[str] = frozenset()
    peer: Callable[[str], dict[str, Any]] = lambda _subnet: {}
    ways: Callable[[Host], dict[str, str]] | None = Host.routes
    flags: tuple[str, ...] = ()


def vxlan_ways(host: Host) -> dict[str, str]:
    """Follow each route to its neighbour and its FDB entry."""
    neighbours, found = host.ip("neighbour", "show", "dev", "flannel.1"), {}
    rows = host.namespace.command("bridge", "fdb", "show", "dev", "flannel.1")
    for subnet in host.routes():
        mac = re.search(rf"^{subnet.partition('/')[0]} lladdr (\S+)", neighbours, re.MULTILINE)
        end = re.search(rf"^{mac[1]} dst (\S+)", rows, re.MULTILINE) if mac else None
        found.update({subnet: end[1]} if end else {})
    return found


def udp_ways(host: Host) -> dict[str, str]:
    """Follow each route to the peer of the data path process."""
    peers = host.namespace.run(protocol.peers)
    hosts = {one.first: ".".join(str(one.host >> shift & 255) for shift in (24, 16, 8, 0)) for one in peers}
    numbers = {subnet: sum(int(part) << shift for part, shift in zip(re.split(r"[./]", subnet), (24, 16, 8, 0)))
               for subnet in host.routes()}  # fmt: skip
    return {subnet: hosts[number] for subnet, number in numbers.items() if number in hosts}


def wireguard_ways(host: Host) -> dict[str, str]:
    """Follow each route to the peer that is allowed to have the subnet."""
    peers = wireguard.peers(host).values() if host.has("flannel-wg") else ()
    ends = {subnet: peer.endpoint for peer in peers for subnet in peer.allowed.split(",")}
    return {subnet: ends[subnet] for subnet in host.routes() if subnet in ends}


def device_ways(device: str) -> Callable[[Host], dict[str, str]]:
    """Return a function that lists the routes into this device."""
    return lambda host: {subnet: way for subnet, way in host.routes().items() if f"dev {device} " in way}


def kernel_wireguard_ways(host: Host) -> dict[str, str]:
    """Do the same as wireguard_ways, on a host whose kernel has the device."""
    assert wireguard.process(host) == 0, "wireguard-go runs"
    return wireguard_ways(host)


VXLAN = Contract(
    "vxlan",
    50,
    "flannel.1",
    data=frozenset({"VNI", "VtepMAC"}),
    peer=lambda subnet: {"BackendData": {"VNI": 1, "VtepMAC": MACS[subnet]}},
    ways=vxlan_ways,
)
WIREGUARD = Contract(
    "wireguard",
    80,
    "flannel-wg",
    data=frozenset({"PublicKey", "Port"}),
    peer=lambda subnet: {"BackendData": {"PublicKey": KEYS[subnet], "Port": 51820}},
    ways=wireguard_ways,
)
EXTENSION = Contract("extension", 0, options=COMMANDS, flags=("--extension-commands=direct",))
ANY_KERNEL = (
    VXLAN, Contract("host-gw", 0), Contract("udp", 28, "flannel0", ways=udp_ways), WIREGUARD,
    Contract("alloc", 0, ways=None), EXTENSION,
)  # fmt: skip
STOCK_KERNEL = (
    Contract("ipip", 20, "flannel.ipip", ways=device_ways("flannel.ipip")),
    WIREGUARD._replace(ways=kernel_wireguard_ways),
)


class Life:
    """The life of a host with a backend, in the steps of the contract."""

    def __init__(self, host: Host, network: Network, contract: Contract) -> None:
        self.host, self.network, self.contract = host, network, contract

    def join(self) -> None:
        """Start overlayd."""
        self.host.join(*HEALTH, *self.contract.flags)

    def write_peer(self, subnet: str, public_ip: str) -> str:
        """Write the lease of a peer; return the name of its key."""
        kind = self.contract.type if self.contract.ways else ""  # alloc names no backend
        return self.network.lease(subnet, public_ip, BackendType=kind, **self.contract.peer(subnet))

    def wait_way(self, subnet: str, public_ip: str) -> None:
        """Wait until the packets to a subnet leave to this host."""
        host, ways = self.host, self.contract.ways
        if ways is None:
            self.network.lease(WITNESS, public_ip)
            until(lambda: public_ip in host.routes().get(WITNESS, ""), lambda: f"{WITNESS} by {public_ip}\n{host.log}")
            assert subnet not in host.routes()
        else:
            until(lambda: public_ip in ways(host).get(subnet, ""), lambda: f"{subnet} by {public_ip}\n{host.log}")

    def device_shows(self, mtu: int) -> bool:
        """Whether the device, if the backend has one, is there with this MTU of the underlay."""
        device = self.contract.device
        return not device or f"mtu {mtu - self.contract.overhead} " in self.host.ip("link", "show", device)

    def state(self) -> tuple[str, int, str]:
        """What a restart must leave as it is: the rows, the number of devices, the index of the device."""
        host, device = self.host, self.contract.device
        index = host.ip("-o", "link", "show", device).split(":")[0] if device else ""
        return host.dataplane(device or "eth0"), host.ip("-o", "link").count("\n"), index


def keep_contract(host: Host, network: Network, contract: Contract) -> None:
    """Start, change the peers, restart, damage, change the underlay, remove: assert what each backend owes."""
    wireguard.with_sockets(host)
    network.configure(contract.type, **(contract.options or {}))
    life = Life(host, network, contract)
    first = life.write_peer(FIRST, FIRST_HOST)
    life.join()
    has_started(life)
    own = host.subnet
    follows_its_peers(life)
    survives(life)
    leaves_no_trace(life)
    assert own not in network.leases()
    assert network.get(first) is not None


def has_started(life: Life) -> None:
    """Assert the lease, the MTU, the device and the rows of a first peer."""
    host, contract = life.host, life.contract
    lease = life.network.leases()[host.subnet]
    assert lease.get("BackendType") == (contract.type if contract.ways else None)
    assert set(lease.get("BackendData", {})) == contract.data
    assert host.subnet_env["FLANNEL_MTU"] == str(1500 - contract.overhead)
    assert life.device_shows(1500)
    life.wait_way(FIRST, FIRST_HOST)


def follows_its_peers(life: Life) -> None:
    """Add, move and remove peers, one of which is bad."""
    host, network, contract = life.host, life.network, life.contract
    second = life.write_peer(SECOND, SECOND_HOST)
    life.wait_way(SECOND, SECOND_HOST)
    network.lease(BAD, "127.0.0.1", BackendType=contract.type, **contract.peer(SECOND))
    host.wait_said("lease 10.50.203.0-24: PublicIP 127.0.0.1 is not the address of a host")
    life.write_peer(FIRST, MOVED_HOST)
    life.wait_way(FIRST, MOVED_HOST)
    assert BAD not in host.routes()
    network.delete(second)
    until(lambda: SECOND not in host.routes(), lambda: host.log)


def survives(life: Life) -> None:
    """Restart overlayd, which adopts everything; delete the device; change the MTU of the underlay."""
    host, contract = life.host, life.contract
    before = life.state()
    host.stop()
    life.join()
    life.wait_way(FIRST, MOVED_HOST)
    assert life.state() == before
    assert not host.said("repaired")
    if contract.device:
        host.ip("link", "delete", contract.device)
        until(lambda: host.has(contract.device), lambda: host.log)
        life.wait_way(FIRST, MOVED_HOST)
    host.ip("link", "set", "eth0", "mtu", "1400")
    until(lambda: host.subnet_env["FLANNEL_MTU"] == str(1400 - contract.overhead), lambda: host.log)
    until(lambda: life.device_shows(1400), lambda: host.log)
    life.wait_way(FIRST, MOVED_HOST)


def leaves_no_trace(life: Life) -> None:
    """Stop and remove overlayd."""
    host, contract = life.host, life.contract
    host.stop()
    done = host.run(*contract.flags, "--remove", "--release")
    assert done.returncode == 0, done.stderr
    assert host.routes() == {}
    assert not contract.device or not host.has(contract.device)
    assert [path.name for path in Path(host.state).glob("*") if path.suffix != ".lock"] == []
    assert host.own_rules() == []
