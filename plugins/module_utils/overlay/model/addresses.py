# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 addresses as integers and subnets as small tuples: cheap enough to hold fifty thousand leases."""

from __future__ import annotations

import socket
from typing import NamedTuple

ADDRESS_BITS = 32
MAC_LENGTH = 17  # characters: six pairs of digits, five colons


def parse_ipv4(text: str) -> int:
    """Return the address of a dotted quad, as an integer in host order; raise ValueError for anything else."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, TypeError, ValueError):
        raise ValueError(f"{text!r} is not an IPv4 address such as 192.0.2.7") from None


def format_ipv4(address: int) -> str:
    """Return the dotted quad of an address."""
    return socket.inet_ntoa(address.to_bytes(4, "big"))


def parse_mac(text: str) -> bytes:
    """Return the six bytes of a colon separated MAC address in either case; raise ValueError for anything else."""
    if isinstance(text, str) and len(text) == MAC_LENGTH and text[2::3] == ":::::":
        digits = text.replace(":", "")
        if digits.isalnum() and len(digits) == 12:
            try:
                return bytes.fromhex(digits)
            except ValueError:
                pass
    raise ValueError(f"{text!r} is not a MAC address such as 0e:1c:9a:04:7f:22")


def format_mac(mac: bytes) -> str:
    """Return a MAC address in lower case with colons, as etcd and the kernel tools show it."""
    return mac.hex(":")


class Subnet(NamedTuple):
    """An IPv4 network: its first address (an integer) and its prefix length; host bits are zero."""

    first: int
    length: int

    @classmethod
    def of(cls, address: int, length: int) -> Subnet:
        """Return the network of ``length`` that holds the address."""
        return cls(address & ~((1 << (ADDRESS_BITS - length)) - 1), length)

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """Return the network written as address/length, exactly; raise ValueError where host bits are set."""
        subnet, address = cls.parse_interface(text)
        if subnet.first != address:
            raise ValueError(f"{text!r} has host bits set; the network is {subnet}")
        return subnet

    @classmethod
    def parse_interface(cls, text: str) -> tuple[Subnet, int]:
        """Return the network and the address of text such as 10.5.7.1/24; raise ValueError for anything else."""
        address_text, slash, length_text = text.partition("/") if isinstance(text, str) else ("", "", "")
        if not slash or not length_text.isascii() or not length_text.isdigit() or int(length_text) > ADDRESS_BITS:
            raise ValueError(f"{text!r} is not an IPv4 network such as 10.5.0.0/16")
        address = parse_ipv4(address_text)
        return cls.of(address, int(length_text)), address

    @property
    def size(self) -> int:
        """How many addresses the subnet has."""
        return 1 << (ADDRESS_BITS - self.length)

    @property
    def last(self) -> int:
        """The last address of the subnet."""
        return self.first + (1 << (ADDRESS_BITS - self.length)) - 1

    def has(self, address: int) -> bool:
        """Whether the address lies in this subnet."""
        return not (address ^ self.first) >> (ADDRESS_BITS - self.length)

    def covers(self, other: Subnet) -> bool:
        """Whether the whole of the other subnet lies in this one."""
        return self.length <= other.length and self.has(other.first)

    def overlaps(self, other: Subnet) -> bool:
        """Whether the two share an address."""
        return self.covers(other) or other.covers(self)

    def host(self, number: int) -> str:
        """Return the text of the address at an offset, such as the bridge's at 1."""
        return format_ipv4(self.first + number)

    def __str__(self) -> str:
        return f"{format_ipv4(self.first)}/{self.length}"
