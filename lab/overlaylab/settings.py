# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names, addresses and paths of a lab and its hosts."""

from __future__ import annotations

import contextlib
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
NSPAWN, VM = "nspawn", "vm"  # the kinds of hosts: containers of systemd-nspawn, and virtual machines of QEMU
_KIND_FILE = "kind"
_LONGEST_SOCKET = 90  # unix(7) allows 107 characters, of which ssh takes 17 for the name of an unfinished socket
_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")


@dataclass(frozen=True)
class Lab:
    """One lab; labs with different names can run at the same time, with the same addresses in separate namespaces."""

    name: str
    directory: Path
    cache: Path
    kind: str = NSPAWN

    @property
    def full_name(self) -> str:
        """The name of the bridge's network namespace, and the prefix of all names of this lab."""
        return f"{PREFIX}.{self.name}"

    @property
    def netns(self) -> Path:
        """The network namespace of the bridge."""
        return Path("/run/netns") / self.full_name

    @property
    def marker(self) -> Path:
        """The file with the name of the lab that owns the directory."""
        return self.directory / "lab-name"

    @property
    def kind_file(self) -> Path:
        """The file with the kind of the lab's hosts."""
        return self.directory / _KIND_FILE

    @property
    def image(self) -> Path:
        """A link to the image below the disks of this lab."""
        return self.directory / "image"

    @property
    def key(self) -> Path:
        """The private ssh key for all hosts."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The ssh host keys of all hosts."""
        return self.directory / "known_hosts"

    @property
    def sockets(self) -> Path:
        """The folder of the sockets of ssh's shared connections, named by the hosts' addresses."""
        return self.directory / "ssh"

    def host(self, number: int) -> Host:
        """The host with this number, which need not exist."""
        return Host(self, number)

    def hosts(self) -> list[Host]:
        """The hosts that have a disk, by number."""
        possible = (self.host(number) for number in range(1, MAX_HOSTS + 1))
        return [host for host in possible if host.directory.is_dir()]

    def named(self, name: str) -> Host:
        """The existing host with this name; raise LabError with the existing names."""
        hosts = {host.name: host for host in self.hosts()}
        if name not in hosts:
            known = f"it has {', '.join(hosts)}" if hosts else "it is down; `lab/lab up` starts it"
            raise LabError(f"lab {self.name} has no host {name!r}: {known}")
        return hosts[name]

    def environment(self) -> dict[str, str]:
        """The environment variables for a process of this lab."""
        own = {
            "LAB_NAME": self.name,
            "LAB_DIR": str(self.directory),
            "LAB_CACHE": str(self.cache),
            "LAB_KIND": self.kind,
        }
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
        """The name of its systemd machine, network namespace and control group; unique on the outer machine."""
        return f"{self.lab.full_name}.{self.name}"

    @property
    def netns(self) -> Path:
        """Its network namespace."""
        return Path("/run/netns") / self.full_name

    @property
    def directory(self) -> Path:
        """The folder of its disk and of its supervisor's files."""
        return self.lab.directory / "hosts" / self.name

    @property
    def files(self) -> Path:
        """The folder of its own files: the upper layer of a container's disk, copied to a virtual machine's disk."""
        return self.directory / "upper"

    @property
    def lock(self) -> Path:
        """The file that its supervisor keeps locked; it contains the supervisor's process id."""
        return self.directory / "supervisor"

    @property
    def log(self) -> Path:
        """The output of its supervisor and its console."""
        return self.lab.directory / "logs" / f"{self.name}.log"

    @property
    def socket(self) -> Path:
        """The socket of ssh's shared connection to it."""
        return self.lab.sockets / self.address


def lab_of(environment: Mapping[str, str]) -> Lab:
    """The lab of LAB_NAME, LAB_DIR, LAB_CACHE and LAB_KIND; unset and empty variables mean the default.

    The default of LAB_KIND is the kind of the hosts that the lab has.
    """
    name = environment.get("LAB_NAME") or "overlay"
    if not _NAME.fullmatch(name):
        raise LabError(f"LAB_NAME {name!r} is invalid; use a small letter, then up to 23 small letters, digits and -")
    directory = Path(environment.get("LAB_DIR") or f"/var/lib/{PREFIX}/{name}").absolute()
    cache = Path(environment.get("LAB_CACHE") or f"/var/cache/{PREFIX}").absolute()
    lab = Lab(name, directory, cache, environment.get("LAB_KIND") or _present_kind(directory) or NSPAWN)
    if lab.kind not in (NSPAWN, VM):
        raise LabError(
            f"LAB_KIND {lab.kind!r} is unknown; use {NSPAWN} (containers of systemd-nspawn) or {VM} (virtual machines)"
        )
    if _present_kind(directory) not in ("", lab.kind):
        raise LabError(
            f"lab {name} has hosts of the kind {_present_kind(directory)}, and LAB_KIND is {lab.kind}; "
            f"use the same, or remove them with `LAB_KIND={_present_kind(directory)} lab/lab down`"
        )
    if len(os.fsencode(lab.host(MAX_HOSTS).socket)) > _LONGEST_SOCKET:
        raise LabError(f"LAB_DIR {directory} is too long for ssh's sockets in it; use at most 70 characters")
    return lab


def _present_kind(directory: Path) -> str:
    """The kind of the hosts of the lab in this directory, "" if there is no lab."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return (directory / _KIND_FILE).read_text(encoding="utf-8").strip()
    return ""
