# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An upgrade from release 1.0.0, from recorded files and kernel state of that release."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host, lost, until
from support.agent_network import Network

OWN, PEER = "10.50.14.0/24", "10.50.48.0/24"
OWN_MAC = "52:61:38:c9:f1:76"
SUBNET_ENV = """\
FLANNEL_NETWORK=10.50.0.0/16
FLANNEL_SUBNET=10.50.14.1/24
FLANNEL_MTU={mtu}
FLANNEL_IPMASQ=true
"""
# What `ip` and `iptables-save` showed of release 1.0.0, as the commands that make the same.
# A next hop's id is the middle address of its subnet, here 10.50.48.128.
VXLAN = """\
link add flannel.1 address {own_mac} mtu 1450 type vxlan id 1 local {own_ip} dev eth0 dstport 8472 nolearning
link set flannel.1 addrgenmode none
address add 10.50.14.0/32 dev flannel.1
link set flannel.1 up
neighbour add 10.50.48.0 lladdr {peer_mac} dev flannel.1 nud permanent
nexthop add id 171061376 via 10.50.48.0 dev flannel.1 onlink proto 158
route add 10.50.48.0/24 nhid 171061376 proto 158
"""
HOST_GW = """\
nexthop add id 171061376 via {peer_ip} dev eth0 proto 158
route add 10.50.48.0/24 nhid 171061376 proto 158
"""
RULES = """\
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT
-A FLANNEL-FWD -d 10.50.0.0/16 -j ACCEPT
COMMIT
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
-A FLANNEL-POSTRTG -s 10.50.14.0/24 -d 10.50.0.0/16 -j RETURN
-A FLANNEL-POSTRTG -s 10.50.0.0/16 -d 10.50.14.0/24 -j RETURN
-A FLANNEL-POSTRTG ! -s 10.50.0.0/16 -d 10.50.14.0/24 -j RETURN
-A FLANNEL-POSTRTG -s 10.50.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.50.0.0/16 -d 10.50.0.0/16 -j MASQUERADE --random-fully
COMMIT
"""


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_host_of_release_1_0_0_is_taken_over_without_a_lost_packet(
    fleet: Fleet, network: Network, backend: str
) -> None:
    network.configure(backend)
    upgraded, peer = fleet(2)
    network.lease(PEER, peer.address, "0e:00:00:00:00:01" if backend == "vxlan" else "", ttl=None)
    peer.join("--ip-masq")
    leave_state_of_1_0_0(upgraded, peer, network, backend)
    until(lambda: OWN in peer.routes(), "the peer's route to the host")
    one, other = fleet.containers()
    stream = one.stream(other)
    until(lambda: one.reaches(other), "packets before the upgrade")
    before, rules = upgraded.dataplane(), upgraded.own_rules()
    upgraded.join("--ip-masq")
    assert (upgraded.dataplane(), upgraded.own_rules()) == (before, rules)
    assert upgraded.subnet == OWN
    assert one.reaches(other)
    time.sleep(0.3)  # for packets after the upgrade
    sent, missing = lost(stream)
    assert sent > 10
    assert missing == 0
    assert set(network.leases()) == {OWN, PEER}


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_a_rebooted_host_of_release_1_0_0_keeps_subnet_and_mac(host: Host, network: Network, backend: str) -> None:
    network.configure(backend)
    write_memory_of_1_0_0(host, network, backend, {})
    host.join()
    assert host.subnet == OWN
    if backend == "vxlan":
        assert host.mac() == OWN_MAC


def leave_state_of_1_0_0(host: Host, peer: Host, network: Network, backend: str) -> None:
    """Create the files, the lease and the kernel state that release 1.0.0 leaves when it is stopped."""
    data = OWN_MAC if backend == "vxlan" else ""
    network.lease(OWN, host.address, data)
    values = {name: json.dumps(value, separators=(",", ":")) for name, value in network.leases().items()}
    write_memory_of_1_0_0(host, network, backend, {name.replace("/", "-"): text for name, text in values.items()})
    host.subnet_file.write_text(SUBNET_ENV.format(mtu=1450 if backend == "vxlan" else 1500))
    peer_mac = peer.mac() if backend == "vxlan" else ""
    names = {"own_mac": OWN_MAC, "own_ip": host.address, "peer_mac": peer_mac, "peer_ip": peer.address}
    feed(host, ["ip", "-batch", "-"], (VXLAN if backend == "vxlan" else HOST_GW).format(**names))
    if backend == "vxlan":
        row = [peer_mac, "dev", "flannel.1", "dst", peer.address, "self", "permanent"]
        host.namespace.command("bridge", "fdb", "add", *row)
    feed(host, ["iptables-restore", "--noflush"], RULES)


def write_memory_of_1_0_0(host: Host, network: Network, backend: str, leases: dict[str, str]) -> None:
    """Write the memory file with the keys that release 1.0.0 gave it."""
    config = network.get("config")
    assert config is not None
    memory = {
        "machine_id": Path("/etc/machine-id").read_text().strip(),
        "subnet": OWN,
        "public_ip": host.address,
        "mac": OWN_MAC if backend == "vxlan" else "",
        "device": "flannel.1" if backend == "vxlan" else "",
        "config": config.value,
        "leases": leases,
    }
    host.state.mkdir()
    (host.state / f"{host.prefix.strip('/').replace('/', '-')}.json").write_text(json.dumps(memory))


def feed(host: Host, command: list[str], text: str) -> None:
    """Run a command on the host with this text as standard input."""
    done = host.namespace.run(lambda: subprocess.run(command, input=text, capture_output=True, text=True, check=False))
    assert done.returncode == 0, done.stderr
