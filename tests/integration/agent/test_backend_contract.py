# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each backend owes to a host: the same life of a host and its peers, once with each backend.

ipip needs a kernel that has it: tests/integration/guest/test_ipip_agent.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.udp import protocol
from support import wireguard
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network

FIRST, FIRST_HOST, MOVED_HOST = "10.50.201.0/24", "192.0.2.77", "192.0.2.78"
SECOND, SECOND_HOST = "10.50.202.0/24", "192.0.2.79"
BAD = "10.50.203.0/24"
MACS = {FIRST: "0e:00:00:00:00:77", SECOND: "0e:00:00:00:00:79"}
KEYS = {subnet: wireguard.random_key() for subnet in MACS}
COMMANDS = {
    "SubnetAddCommand": "ip route add $SUBNET via $PUBLIC_IP",
    "SubnetRemoveCommand": "ip route del $SUBNET via $PUBLIC_IP",
}


class Contract(NamedTuple):
    """What a backend makes of a host and of its peers.

    ``data`` are the fields of BackendData. ``ways`` returns where packets to each subnet leave to, as text that
    contains the address of the peer's host.
    """

    type: str
    overhead: int
    device: str = ""
    options: Mapping[str, Any] | None = None
    data: frozenset[str] = frozenset()
    peer: Callable[[str], dict[str, Any]] = lambda _subnet: {}
    ways: Callable[[Host], dict[str, str]] = Host.routes
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


CONTRACTS = [
    Contract(
        "vxlan",
        50,
        "flannel.1",
        data=frozenset({"VNI", "VtepMAC"}),
        peer=lambda subnet: {"BackendData": {"VNI": 1, "VtepMAC": MACS[subnet]}},
        ways=vxlan_ways,
    ),
    Contract("host-gw", 0),
    Contract("udp", 28, "flannel0", ways=udp_ways),
    Contract(
        "wireguard",
        80,
        "flannel-wg",
        data=frozenset({"PublicKey", "Port"}),
        peer=lambda subnet: {"BackendData": {"PublicKey": KEYS[subnet], "Port": 51820}},
        ways=wireguard_ways,
    ),
    Contract("extension", 0, options=COMMANDS, flags=("--extension-commands=direct",)),
]


def write_peer(network: Network, contract: Contract, subnet: str, public_ip: str) -> str:
    """Write the lease of a peer; return the name of its key."""
    return network.lease(subnet, public_ip, BackendType=contract.type, **contract.peer(subnet))


def wait_way(contract: Contract, host: Host, subnet: str, public_ip: str) -> None:
    """Wait until the packets to a subnet leave to this host."""
    until(lambda: public_ip in contract.ways(host).get(subnet, ""), lambda: f"{subnet} by {public_ip}\n{host.log}")


@pytest.mark.parametrize("contract", CONTRACTS, ids=[contract.type for contract in CONTRACTS])
def test_a_backend_keeps_its_contract_over_the_life_of_a_host(host: Host, network: Network, contract: Contract) -> None:
    wireguard.with_sockets(host)
    network.configure(contract.type, **(contract.options or {}))
    first = write_peer(network, contract, FIRST, FIRST_HOST)
    host.join(*HEALTH, *contract.flags)

    # The start: lease, MTU, device, rows.
    own = host.subnet
    lease = network.leases()[own]
    assert lease["BackendType"] == contract.type
    assert set(lease.get("BackendData", {})) == contract.data
    assert host.subnet_env["FLANNEL_MTU"] == str(1500 - contract.overhead)
    assert not contract.device or f"mtu {1500 - contract.overhead} " in host.ip("link", "show", contract.device)
    wait_way(contract, host, FIRST, FIRST_HOST)

    # Peers: added, moved, bad, removed.
    second = write_peer(network, contract, SECOND, SECOND_HOST)
    wait_way(contract, host, SECOND, SECOND_HOST)
    network.lease(BAD, "127.0.0.1", BackendType=contract.type, **contract.peer(SECOND))
    host.wait_said("lease 10.50.203.0-24: PublicIP 127.0.0.1 is not the address of a host")
    write_peer(network, contract, FIRST, MOVED_HOST)
    wait_way(contract, host, FIRST, MOVED_HOST)
    assert BAD not in host.routes()
    network.delete(second)
    until(lambda: SECOND not in host.routes(), lambda: host.log)

    # A restart adopts everything: the device is the same one, and nothing is repaired.
    before = host.dataplane(contract.device or "eth0"), host.ip("-o", "link").count("\n")
    index = host.ip("-o", "link", "show", contract.device).split(":")[0] if contract.device else ""
    host.stop()
    host.join(*HEALTH, *contract.flags)
    wait_way(contract, host, FIRST, MOVED_HOST)
    assert (host.dataplane(contract.device or "eth0"), host.ip("-o", "link").count("\n")) == before
    assert not contract.device or host.ip("-o", "link", "show", contract.device).startswith(f"{index}:")
    assert not host.said("repaired")

    # Another program deletes the device.
    if contract.device:
        host.ip("link", "delete", contract.device)
        until(lambda: host.has(contract.device), lambda: host.log)
        wait_way(contract, host, FIRST, MOVED_HOST)

    # The MTU of the underlay changes.
    host.ip("link", "set", "eth0", "mtu", "1400")
    until(lambda: host.subnet_env["FLANNEL_MTU"] == str(1400 - contract.overhead), lambda: host.log)
    if contract.device:
        wanted = f"mtu {1400 - contract.overhead} "
        until(lambda: wanted in host.ip("link", "show", contract.device), lambda: host.log)
    wait_way(contract, host, FIRST, MOVED_HOST)

    # Removal leaves no trace.
    host.stop()
    done = host.run(*contract.flags, "--remove", "--release")
    assert done.returncode == 0, done.stderr
    assert host.routes() == {}
    assert not contract.device or not host.has(contract.device)
    assert own not in network.leases()
    assert network.get(first) is not None
    assert [path.name for path in Path(host.state).glob("*") if path.suffix != ".lock"] == []
    assert host.own_rules() == []
