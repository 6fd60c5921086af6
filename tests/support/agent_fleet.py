# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts on one switch that share an etcd: each runs its own overlayd, and a container on request."""

from __future__ import annotations

from pathlib import Path

from support.agent_host import Container, Host, until
from support.agent_network import Network
from support.etcd_server import EtcdServer
from support.netns import Lan, Namespace
from support.relay import Relay

SWITCH = "192.0.2.1"


class Fleet:
    """Hosts on one switch; they reach etcd at the address of the switch."""

    def __init__(self, etcd: EtcdServer, network: Network, folder: Path) -> None:
        self.network = network
        self._folder = folder
        self._target = ("127.0.0.1", int(etcd.endpoints[0].rpartition(":")[2]))
        self._lans: list[Lan] = []
        self._relays: list[Relay] = []
        self._containers: list[Container] = []
        self.hosts: list[Host] = []

    @property
    def switch(self) -> Namespace:
        """The namespace of the switch, from which all hosts can be reached."""
        return self._lans[0].switch

    def __call__(self, count: int) -> list[Host]:
        """Add ``count`` hosts on which overlayd does not run; return all hosts."""
        lan = Lan(count)
        self._lans.append(lan)
        lan.switch.command("ip", "address", "add", f"{SWITCH}/24", "dev", "br0")
        self._relays.append(Relay(lan.switch, (SWITCH, 2379), self._target))
        for number, (namespace, address) in enumerate(zip(lan.hosts, lan.addresses), 1):
            host = Host(namespace, address, self._folder / f"h{number}", f"http://{SWITCH}:2379", self.network.prefix)
            self.hosts.append(host)
        return self.hosts

    def joined(self, count: int, *flags: str) -> list[Host]:
        """Add ``count`` hosts and start overlayd on all of them; return all hosts once they are ready."""
        hosts = self(count)
        for host in hosts:
            host.start(*flags)
        for host in hosts:
            host.wait_ready()
        return hosts

    def replace_interface(self, host: Host) -> None:
        """Replace a host's eth0 by another interface with the same name and address."""
        host.ip("link", "delete", "eth0")
        host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "again", "netns", str(self.switch.tid))
        self.switch.command("ip", "link", "set", "again", "master", "br0", "up")
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")

    def know_each_other(self) -> bool:
        """Whether each host has routes to the subnets of all other hosts, and no further route."""
        subnets = {host.subnet for host in self.hosts if host.subnet_file.exists()}
        return len(subnets) == len(self.hosts) and all(
            subnets - {host.subnet} == host.routes().keys() - {host.subnet} for host in self.hosts
        )

    def containers(self) -> list[Container]:
        """Return a container on each host, once each host has routes to all others."""
        until(self.know_each_other, "routes to all on all")
        self._containers += [host.container() for host in self.hosts]
        return self._containers

    def close(self) -> None:
        """Stop overlayd everywhere and remove the hosts."""
        for host in self.hosts:
            host.close()
        for relay in self._relays:
            relay.close()
        for container in self._containers:
            container.close()
        for lan in self._lans:
            lan.close()
