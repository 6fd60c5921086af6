# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IPv4 addresses as integers and subnets as tuples: small and fast enough for fifty thousand leases."""

from __future__ import annotations

import socket

from ..named_tuple import NamedTuple

ADDRESS_BITS = 32
MAC_LENGTH = 17  # characters: six pairs of digits, five colons


def parse_ipv4(text: str) -> int:
    """Return an address such as 192.0.2.7 as an integer; raise ValueError for any other text."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
    except (OSError, TypeError, ValueError):
        raise ValueError(f"{text!r} is not an IPv4 address such as 192.0.2.7") from None


def format_ipv4(address: int) -> str:
    """Return an address (integer) as text such as 192.0.2.7."""
    return socket.inet_ntoa(address.to_bytes(4, "big"))


def parse_mac(text: str) -> bytes:
    """Return the six bytes of a MAC address with colons, in either case; raise ValueError for any other text."""
    if isinstance(text, str) and len(text) == MAC_LENGTH and text[2::3] == ":::::":
        digits = text.replace(":", "")
        if digits.isalnum() and len(digits) == 12:
            try:
                return bytes.fromhex(digits)
            except ValueError:
                pass
    raise ValueError(f"{text!r} is not a MAC address such as 0e:1c:9a:04:7f:22")


def format_mac(mac: bytes) -> str:
    """Return a MAC address as text in lower case with colons, as in etcd and iproute2."""
    return mac.hex(":")


class Subnet(NamedTuple):
    """An IPv4 network: its first address (an integer) and its prefix length; host bits are zero."""

    first: int
    length: int

    @classmethod
    def of(cls, address: int, length: int) -> Subnet:
        """Return the network of this prefix length that contains the address."""
        return cls(address & ~((1 << (ADDRESS_BITS - length)) - 1), length)

    @classmethod
    def parse(cls, text: str) -> Subnet:
        """Return the network of text such as 10.5.0.0/16; raise ValueError for other text and for set host bits."""
        subnet, address = cls.parse_interface(text)
        if subnet.first != address:
            raise ValueError(f"{text!r} has host bits set; the network is {subnet}")
        return subnet

    @classmethod
    def parse_interface(cls, text: str) -> tuple[Subnet, int]:
        """Return the network and the address of text such as 10.5.7.1/24; raise ValueError for any other text."""
        address_text, slash, length_text = text.partition("/") if isinstance(text, str) else ("", "", "")
        if not slash or not length_text.isascii() or not length_text.isdigit() or int(length_text) > ADDRESS_BITS:
            raise ValueError(f"{text!r} is not an IPv4 network such as 10.5.0.0/16")
        address = parse_ipv4(address_text)
        return cls.of(address, int(length_text)), address

    @property
    def size(self) -> int:
        """The number of addresses in the subnet."""
        return 1 << (ADDRESS_BITS - self.length)

    @property
    def last(self) -> int:
        """The last address of the subnet (integer)."""
        return self.first + (1 << (ADDRESS_BITS - self.length)) - 1

    def has(self, address: int) -> bool:
        """Whether the subnet contains the address."""
        return not (address ^ self.first) >> (ADDRESS_BITS - self.length)

    def covers(self, other: Subnet) -> bool:
        """Whether this subnet contains the whole other subnet."""
        return self.length <= other.length and self.has(other.first)

    def overlaps(self, other: Subnet) -> bool:
        """Whether the two subnets have an address in common."""
        return self.covers(other) or other.covers(self)

    def host(self, number: int) -> str:
        """Return the address at an offset as text; offset 1 is the address of Docker's bridge."""
        return format_ipv4(self.first + number)

    def __str__(self) -> str:
        return f"{format_ipv4(self.first)}/{self.length}"
