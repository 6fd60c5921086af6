# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a lab and its hosts are called, and where their things stand."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .process import LabError

PREFIX = "clusternet-lab"
NETWORK = "192.168.100"
GATEWAY = f"{NETWORK}.1"
MAX_HOSTS = 9  # a host's address ends in 1 and its number
_LONGEST_SOCKET = 90  # unix(7) allows 107 characters, of which ssh takes 17 for the name of an unfinished socket
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")


@dataclass(frozen=True)
class Lab:
    """One lab; two labs of different names stand side by side, with the same addresses in namespaces of their own."""

    name: str
    directory: Path
    cache: Path

    @property
    def full_name(self) -> str:
        """The name of the bridge's network namespace, and what all names of this lab begin with."""
        return f"{PREFIX}.{self.name}"

    @property
    def netns(self) -> Path:
        """The network namespace the bridge lives in."""
        return Path("/run/netns") / self.full_name

    @property
    def marker(self) -> Path:
        """The file that says that the directory belongs to the lab, and to which."""
        return self.directory / "lab-name"

    @property
    def image(self) -> Path:
        """A link to the image the disks of this lab were made over."""
        return self.directory / "image"

    @property
    def key(self) -> Path:
        """The private ssh key that opens every host."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The ssh host keys of all hosts."""
        return self.directory / "known_hosts"

    @property
    def sockets(self) -> Path:
        """Where ssh keeps the sockets of its shared connections, one named by each host's address."""
        return self.directory / "ssh"

    def host(self, number: int) -> Host:
        """The host of that number, whether it exists or not."""
        return Host(self, number)

    def hosts(self) -> list[Host]:
        """The hosts that have a disk, by number."""
        possible = (self.host(number) for number in range(1, MAX_HOSTS + 1))
        return [host for host in possible if host.directory.is_dir()]

    def named(self, name: str) -> Host:
        """The existing host of that name; LabError names those there are."""
        hosts = {host.name: host for host in self.hosts()}
        if name not in hosts:
            known = f"it has {', '.join(hosts)}" if hosts else "it is down; `lab/lab up` starts it"
            raise LabError(f"lab {self.name} has no host {name!r}: {known}")
        return hosts[name]

    def environment(self) -> dict[str, str]:
        """The environment in which the program finds this lab again."""
        own = {"LAB_NAME": self.name, "LAB_DIR": str(self.directory), "LAB_CACHE": str(self.cache)}
        return {**os.environ, **own}


@dataclass(frozen=True)
class Host:
    """One host of a lab."""

    lab: Lab
    number: int

    @property
    def name(self) -> str:
        """The host's own name: h1, h2, ..."""
        return f"h{self.number}"

    @property
    def address(self) -> str:
        """The IPv4 address of its eth0."""
        return f"{NETWORK}.1{self.number}"

    @property
    def mac(self) -> str:
        """The hardware address of its eth0."""
        return f"02:00:00:00:64:1{self.number}"

    @property
    def full_name(self) -> str:
        """The name of its machine, network namespace and control group: unique on the outer machine."""
        return f"{self.lab.full_name}.{self.name}"

    @property
    def netns(self) -> Path:
        """Its network namespace."""
        return Path("/run/netns") / self.full_name

    @property
    def directory(self) -> Path:
        """Its disk and what its supervisor needs."""
        return self.lab.directory / "hosts" / self.name

    @property
    def lock(self) -> Path:
        """The file its supervisor holds locked as long as it lives; it contains the supervisor's process id."""
        return self.directory / "supervisor"

    @property
    def log(self) -> Path:
        """What its supervisor and its console say."""
        return self.lab.directory / "logs" / f"{self.name}.log"

    @property
    def socket(self) -> Path:
        """The socket of ssh's shared connection to it."""
        return self.lab.sockets / self.address


def lab_of(environment: Mapping[str, str]) -> Lab:
    """The lab that LAB_NAME, LAB_DIR and LAB_CACHE speak of; unset and empty mean the default."""
    name = environment.get("LAB_NAME") or "overlay"
    if not _NAME.fullmatch(name):
        raise LabError(f"LAB_NAME {name!r} is no lab name: a small letter, then up to 23 small letters, digits and -")
    directory = Path(environment.get("LAB_DIR") or f"/var/lib/{PREFIX}/{name}").absolute()
    cache = Path(environment.get("LAB_CACHE") or f"/var/cache/{PREFIX}").absolute()
    lab = Lab(name, directory, cache)
    if len(os.fsencode(lab.host(MAX_HOSTS).socket)) > _LONGEST_SOCKET:
        raise LabError(f"LAB_DIR {directory} is too long for ssh's sockets in it; take one of at most 70 characters")
    return lab
