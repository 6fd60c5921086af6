# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts on one switch that share an etcd, each with an overlayd of its own and a container if wanted."""

from __future__ import annotations

from pathlib import Path

from support.agent_host import Container, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.netns import Lan
from support.relay import Relay

SWITCH = "192.0.2.1"


class Fleet:
    """Hosts on one switch; the etcd is reached through the switch's address."""

    def __init__(self, etcd: EtcdServer, network: Network, folder: Path) -> None:
        self.network = network
        self._folder = folder
        self._target = ("127.0.0.1", int(etcd.endpoints[0].rpartition(":")[2]))
        self._lans: list[Lan] = []
        self._relays: list[Relay] = []
        self._containers: list[Container] = []
        self.hosts: list[Host] = []

    def __call__(self, count: int) -> list[Host]:
        """Make so many hosts; no overlayd runs yet."""
        lan = Lan(count)
        self._lans.append(lan)
        lan.switch.command("ip", "address", "add", f"{SWITCH}/24", "dev", "br0")
        self._relays.append(Relay(lan.switch, (SWITCH, 2379), self._target))
        for number, (namespace, address) in enumerate(zip(lan.hosts, lan.addresses), 1):
            host = Host(namespace, address, self._folder / f"h{number}", f"http://{SWITCH}:2379", self.network.prefix)
            self.hosts.append(host)
        return self.hosts

    def joined(self, count: int, *flags: str) -> list[Host]:
        """Make so many hosts and let them join, together."""
        hosts = self(count)
        for host in hosts:
            host.start(*flags)
        for host in hosts:
            host.wait_ready()
        return hosts

    def replace_interface(self, host: Host) -> None:
        """Take a host's eth0 away and give it another with the same address."""
        switch = self._lans[0].switch
        host.ip("link", "delete", "eth0")
        host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "again", "netns", str(switch.tid))
        switch.command("ip", "link", "set", "again", "master", "br0", "up")
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")

    def know_each_other(self) -> bool:
        """Whether every host has a route to each other one's subnet, and to no other."""
        subnets = {host.subnet for host in self.hosts if host.subnet_file.exists()}
        return len(subnets) == len(self.hosts) and all(
            subnets - {host.subnet} == host.routes().keys() - {host.subnet} for host in self.hosts
        )

    def containers(self) -> list[Container]:
        """Return a container on each host, once the hosts know each other's subnets."""
        until(self.know_each_other, "routes to all on all")
        self._containers += [host.container() for host in self.hosts]
        return self._containers

    def close(self) -> None:
        """End everything."""
        for host in self.hosts:
            host.close()
        for relay in self._relays:
            relay.close()
        for container in self._containers:
            container.close()
        for lan in self._lans:
            lan.close()
