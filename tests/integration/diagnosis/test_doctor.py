# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayctl doctor: each break is really made, doctor names it first, its cure is applied, and doctor is quiet.

The breaks of systemd and Docker are in tests/long/test_doctor_lab.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from support.agent_fleet import SWITCH, Fleet
from support.agent_host import Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.overlayctl import Ctl

NOBODY = f"http://{SWITCH}:1"


class World:
    """Two hosts whose agents run, with Docker's bridge; doctor runs on the first one."""

    def __init__(self, fleet: Fleet, network: Network) -> None:
        self.fleet, self.network = fleet, network
        self.lost = ""  # the lease that another host took
        network.configure()
        self.host, self.peer = fleet.joined(2)
        fleet.containers()
        self.ctl = Ctl(self.host)

    @property
    def mac(self) -> str:
        """The MAC of this host's tunnel device."""
        return self.host.mac()

    def own_lease(self) -> str:
        """Return the name of this host's lease."""
        return self.network.lease_name(self.host.subnet)

    def rewrite_lease(self, ttl: int | None = 86400, **changes: object) -> None:
        """Write this host's lease again with changes."""
        value = json.loads(self.network.value(self.own_lease()) or "{}")
        self.network.put(self.own_lease(), json.dumps({**value, **changes}), ttl)

    def restart(self) -> None:
        """Do what `systemctl restart overlayd` does."""
        if self.host.process is not None:
            self.host.stop()
        self.host.join()

    def restart_docker(self) -> None:
        """Give the bridge the address in the subnet file, as a restart of Docker does."""
        for host in self.fleet.hosts:
            host.ip("address", "flush", "dev", "docker0")
            host.ip("address", "add", host.subnet_env["FLANNEL_SUBNET"], "dev", "docker0")

    def sh(self, script: str, host: Host | None = None) -> None:
        """Run a script on a host, this one by default."""
        (host or self.host).namespace.command("sh", "-ec", script)

    def port(self, number: int, *words: str) -> None:
        """Change a port of the switch; the number is that of the host."""
        self.fleet._lans[0].switch.command("ip", "link", "set", f"port{number}", *words)


class Case(NamedTuple):
    """A break, the name of its finding, and the text of its cure."""

    name: str
    make: Callable[[World], object]
    cure: Callable[[World], object]
    words: str = ""


def stopped(change: Callable[[World], object]) -> Callable[[World], object]:
    """Return a break that is made while the agent does not run."""

    def make(world: World) -> None:
        world.host.stop()
        change(world)

    return make


def literally(world: World) -> None:
    """Run the first finding's cure as a script."""
    world.sh(world.ctl.problems()[0]["cure"])


def command(world: World) -> None:
    """Run the command with which the first finding's cure begins."""
    world.sh(world.ctl.problems()[0]["cure"].partition("; if ")[0])


def command_then(script: str) -> Callable[[World], object]:
    """Return a cure: that command, and once doctor is quiet a script that removes what the break left."""

    def cure(world: World) -> None:
        command(world)
        until(lambda: world.ctl.names() == [], lambda: f"quiet: {world.ctl('doctor').out}")
        world.sh(script)

    return cure


def lose_lease(world: World) -> None:
    """Let another host lease this host's subnet while overlayd is stopped."""
    data = {"VNI": 1, "VtepMAC": "0e:00:00:00:00:99"}
    world.lost = world.own_lease()
    world.rewrite_lease(PublicIP="192.0.2.99", BackendData=data)


def lease_another(world: World) -> None:
    """Apply the cure: a restart leases another subnet, which Docker then gets; then remove the other host's lease."""
    former = world.host.subnet
    world.restart()
    assert world.host.subnet != former
    world.restart_docker()
    until(lambda: set(world.ctl.names()) <= {"peer-down"}, lambda: f"{world.ctl.problems()}")
    world.network.delete(world.lost)


def small_state_folder(world: World) -> None:
    world.host.namespace.private_folder(str(world.host.state))
    world.sh(f"mount -o remount,size=64k {world.host.state}")


def other_machine(world: World) -> None:
    (path,) = world.host.state.glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine_id": "0" * 32}))


def remove_memory(world: World) -> None:
    for path in world.host.state.glob("*.json"):
        path.unlink()
    world.host.join()


def follow_config(world: World) -> None:
    """Wait until both hosts use the network config in etcd, and let Docker follow."""
    for host in world.fleet.hosts:
        if host.process is None:
            host.join()
    until(lambda: not set(world.ctl.names()) - {"docker-bridge"}, lambda: f"{world.ctl.problems()}")
    world.restart_docker()


def with_mtu(mtu: int) -> Callable[[World], object]:
    def change(world: World) -> None:
        world.network.configure(MTU=mtu)
        until(lambda: all(h.subnet_env["FLANNEL_MTU"] == str(mtu - 50) for h in world.fleet.hosts), "the new MTU")

    return change


def renew(world: World) -> None:
    """Do what a renewal does: etcd keeps the time to live that a lease was written with, here a short one."""
    world.rewrite_lease()
    world.restart()


def route_via_switch(world: World) -> None:
    world.sh(f"ip route replace {world.peer.subnet} via {SWITCH} metric 0 proto boot")


def strict_with_mixed_backends(world: World) -> None:
    """Give the peer a second lease with another backend, and make reverse path filtering strict."""
    world.network.lease("10.50.200.0/24", world.peer.address)
    world.sh("sysctl -qw net/ipv4/conf/flannel.1/rp_filter=1")


def loose_and_uniform(world: World) -> None:
    """Apply the cure, and remove the second lease: no container answers for it."""
    literally(world)
    until(lambda: "reverse-path" not in world.ctl.names(), "no finding about reverse path filtering")
    world.network.delete(STRANGER)


INPUT = "chain i { type filter hook input priority 0;"
OTHERS = "meta l4proto { icmp, tcp }"
STRANGER = "subnets/10.50.200.0-24"
CASES = (
    Case("underlay", lambda w: w.ctl.set(iface="eth9"), lambda w: w.ctl.set(), "eth9"),
    Case("etcd-unreachable", lambda w: w.ctl.set(etcd_endpoints=NOBODY), lambda w: w.ctl.set(), "refused"),
    Case(
        "etcd-tls",
        lambda w: w.ctl.set(etcd_endpoints=w.host.endpoint.replace("http:", "https:")),
        lambda w: w.ctl.set(),
        "does not use TLS",
    ),
    Case(
        "etcd-endpoint",
        lambda w: w.ctl.set(etcd_endpoints=f"{w.host.endpoint},{NOBODY}"),
        lambda w: w.ctl.set(),
        "1 of 2 etcd endpoints",
    ),
    Case(
        "certificate-unreadable",
        lambda w: w.ctl.set(etcd_cafile=str(w.host.folder / "ca.pem")),
        lambda w: w.ctl.set(),
        "ca.pem",
    ),
    Case("config-missing", lambda w: w.network.delete("config"), lambda w: w.network.configure()),
    Case("config-invalid", lambda w: w.network.put("config", "{}"), lambda w: w.network.configure(), "Network"),
    Case("join-refused", lambda w: w.network.configure(MTU=9000), lambda w: w.network.configure(), "9000"),
    Case(
        "network-overlap",
        lambda w: w.sh(f"ip route add 10.50.0.0/16 via {SWITCH}"),
        lambda w: w.sh("ip route del 10.50.0.0/16"),
        "10.50.0.0/16",
    ),
    Case("state-folder", small_state_folder, lambda w: w.sh(f"umount {w.host.state}"), "bytes left"),
    Case("machine-copy", stopped(other_machine), remove_memory, "machine-id"),
    Case(
        "address-conflict",
        lambda w: w.network.lease("10.50.200.0/24", w.host.address, mac="0e:00:00:00:00:99"),
        lambda w: w.network.delete(STRANGER),
        "0e:00:00:00:00:99",
    ),
    Case("lease-taken", stopped(lose_lease), lease_another, "belongs to the host 192.0.2.99"),
    Case("lease-missing", stopped(lambda w: w.network.delete(w.own_lease())), World.restart),
    Case("lease-not-renewed", stopped(lambda w: w.rewrite_lease(ttl=3000)), renew, "expires in"),
    Case("subnet-file", lambda w: w.host.subnet_file.unlink(), World.restart, "no such file"),
    Case(
        "subnet-outside-config",
        stopped(lambda w: w.network.configure(network="10.77.0.0/16")),
        follow_config,
        "10.77.0.0/16",
    ),
    Case("subnet-outside-config", stopped(lambda w: w.network.configure()), follow_config, "10.77.0.0/16"),
    Case(
        "mac-conflict",
        lambda w: w.network.lease("10.50.200.0/24", "192.0.2.99", mac=w.mac),
        lambda w: w.network.delete(STRANGER),
        "192.0.2.99",
    ),
    Case("lease-ignored", lambda w: w.network.put(STRANGER, "garbage"), lambda w: w.network.delete(STRANGER)),
    Case("device", stopped(lambda w: w.sh("ip link del flannel.1")), World.restart, "ip link add flannel.1"),
    Case("route-conflict", route_via_switch, literally, SWITCH),
    Case("drift", stopped(lambda w: w.sh(f"ip route del {w.peer.subnet}")), World.restart, "ip route"),
    Case("forwarding", lambda w: w.sh("sysctl -qw net.ipv4.ip_forward=0"), literally),
    Case("reverse-path", strict_with_mixed_backends, loose_and_uniform, "10.50.200.0/24"),
    Case(
        "mtu",
        stopped(lambda w: w.sh("ip link set eth0 mtu 1400")),
        World.restart,
        "1350",
    ),
    Case("mtu", stopped(lambda w: w.sh("ip link set eth0 mtu 1500")), World.restart, "1450"),
    Case("firewall-rules", stopped(lambda w: w.sh("iptables -F FLANNEL-FWD")), World.restart),
    Case(
        "firewall-drop",
        lambda w: w.sh("iptables -I FORWARD -i flannel.1 -j DROP"),
        command,
        "-i flannel.1 -j DROP",
    ),
    Case(
        "firewall-drop",
        lambda w: w.sh("iptables -I INPUT -s 192.0.2.0/24 -p udp --dport 8472 -j DROP"),
        command,
        "drops tunnel packets (UDP port 8472)",
    ),
    Case(
        "firewall-drop",
        lambda w: w.sh("for p in tcp icmp; do iptables -A INPUT -p $p -j ACCEPT; done; iptables -P INPUT DROP"),
        command_then("iptables -P INPUT ACCEPT; iptables -F INPUT"),
        "drops tunnel packets (UDP port 8472): -P INPUT DROP",
    ),
    Case(
        "firewall-drop",
        lambda w: w.sh(f"nft 'table inet strict {{ {INPUT} udp dport 8472 drop; }}; }}'"),
        command_then("nft delete table inet strict"),
        "chain inet strict i drops tunnel packets (UDP port 8472): udp dport 8472 drop",
    ),
    Case(
        "firewall-drop",
        lambda w: w.sh(f"nft 'table inet strict {{ {INPUT} policy drop; {OTHERS} accept; }}; }}'"),
        command_then("nft delete table inet strict"),
        "chain inet strict i drops tunnel packets (UDP port 8472): a packet that no rule accepts",
    ),
    Case(
        "firewall-drop",
        lambda w: w.sh("nft 'table inet strict { chain f { type filter hook forward priority 0; policy drop; }; }'"),
        lambda w: w.sh("nft delete table inet strict"),
        "inet strict f",
    ),
    Case(
        "docker-bridge",
        lambda w: w.sh("ip address flush dev docker0; ip address add 172.17.0.1/16 dev docker0"),
        World.restart_docker,
        "172.17.0.1/16",
    ),
    Case("peer-down", lambda w: w.sh("ip link set eth0 down", w.peer), lambda w: w.sh("ip link set eth0 up", w.peer)),
    Case(
        "peer-not-listening",
        lambda w: (w.peer.stop(), w.peer.ip("link", "del", "flannel.1")),
        lambda w: w.peer.join(),
        "UDP port 8472",
    ),
    Case(
        "path-blocked",
        lambda w: w.sh("iptables -I INPUT -p udp --dport 8472 -j DROP", w.peer),
        lambda w: w.sh("iptables -D INPUT -p udp --dport 8472 -j DROP", w.peer),
        "answers by its public IP",
    ),
    Case("path-mtu", lambda w: w.port(1, "mtu", "1400"), with_mtu(1404), "has 1354 bytes"),
)  # fmt: skip


def is_only(found: list[dict[str, str]], case: Case) -> bool:
    """Whether the finding of the case is the only one, with its words."""
    return [one["name"] for one in found] == [case.name] and case.words in found[0]["text"]


@pytest.fixture(scope="module")
def world(shared_etcd: EtcdServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts, which all cases share: each case leaves them as it found them."""
    network = Network(shared_etcd.endpoint)
    fleet = Fleet(shared_etcd, network, tmp_path_factory.mktemp("doctor"))
    yield World(fleet, network)
    fleet.close()
    network.close()


def test_a_sound_host_has_no_problem(world: World) -> None:
    done = world.ctl("doctor")
    assert (done.status, done.out, done.err) == (0, "no problems found\n", "")


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case.name}" for number, case in enumerate(CASES)])
def test_a_break_is_named_first_and_alone_and_its_cure_works(world: World, case: Case) -> None:
    case.make(world)
    until(lambda: is_only(world.ctl.problems(), case), lambda: f"{case.name} alone:\n{world.ctl('doctor').out}")
    case.cure(world)
    until(lambda: world.ctl.names() == [], lambda: f"quiet after {case.name}: {world.ctl('doctor').out}")
