# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Subnet leases in etcd: format of keys and values, and validation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..named_tuple import NamedTuple
from .addresses import ADDRESS_BITS, Subnet, format_ipv4, parse_ipv4
from .backends import EXTENSION
from .errors import LeaseError
from .network import NetworkConfig

LEASE_TTL = 86400  # seconds, as flannel's
_decoder = json.JSONDecoder()  # faster than json.loads, which evaluates its options at each of 50,000 calls
_KEY = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3})-(\d{1,2})(?:&[0-9A-Fa-f:.]+-\d{1,3})?\Z", re.ASCII)


class SubnetLease(NamedTuple):
    """A subnet, and its host's public IP (integer) and backend data: the content of a key below <prefix>/subnets.

    The backend data are a JSON object, or text for the extension backend.
    """

    subnet: Subnet
    public_ip: int
    backend_type: str = ""
    backend_data: Mapping[str, Any] | str | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """The fields of the backend data, {} if there are none."""
        return {} if self.backend_data is None or isinstance(self.backend_data, str) else self.backend_data

    @property
    def key(self) -> str:
        """The last part of the etcd key, such as 10.5.7.0-24."""
        return lease_key(self.subnet)

    def value(self) -> str:
        """Return the JSON text in the format of flannel 0.15 and later: same fields, same order, no empty fields."""
        fields: dict[str, Any] = {"PublicIP": format_ipv4(self.public_ip), "PublicIPv6": None}
        if self.backend_type:
            fields["BackendType"] = self.backend_type
        if self.backend_data:
            fields["BackendData"] = self.backend_data
        return json.dumps(fields, separators=(",", ":"))


def lease_key(subnet: Subnet) -> str:
    """Return the last part of the etcd key of a subnet, such as 10.5.7.0-24."""
    return f"{format_ipv4(subnet.first)}-{subnet.length}"


def parse_lease_key(key: str) -> Subnet:
    """Return the IPv4 subnet of a key's last part, also of a dual stack key; raise LeaseError if it is invalid."""
    match = _KEY.match(key)
    if match is None:
        raise LeaseError(f"lease key {key!r} is not a subnet such as 10.5.7.0-24")
    try:
        address, length = parse_ipv4(match[1]), int(match[2])
    except ValueError as error:
        raise LeaseError(f"lease key {key!r}: {error}") from None
    if length > ADDRESS_BITS:
        raise LeaseError(f"lease key {key!r}: an IPv4 prefix has at most {ADDRESS_BITS} bits")
    subnet = Subnet.of(address, length)
    if subnet.first != address:
        raise LeaseError(f"lease key {key!r} has host bits set; the network is {subnet}")
    return subnet


def parse_lease(key: str, value: str) -> SubnetLease:
    """Return the lease of a key's last part and its value; raise LeaseError with the cause if one is invalid."""
    subnet = parse_lease_key(key)
    try:
        raw = _decode(value)
    except (ValueError, RecursionError) as error:
        raise LeaseError(f"lease {key}: the value is not JSON ({error})") from None
    if not isinstance(raw, dict):
        raise LeaseError(f"lease {key}: the value is not a JSON object: {value[:80]!r}")
    try:
        public_ip = parse_ipv4(raw.get("PublicIP", ""))
    except ValueError as error:
        raise LeaseError(f"lease {key}: PublicIP {error}") from None
    kind, data = raw.get("BackendType") or "", raw.get("BackendData")
    if not isinstance(kind, str):
        raise LeaseError(f"lease {key}: BackendType {kind!r} is not text")
    if isinstance(data, str) and kind == EXTENSION:
        return SubnetLease(subnet, public_ip, kind, data)
    if data is not None and not isinstance(data, dict):
        raise LeaseError(f"lease {key}: BackendData {data!r} is not a JSON object")
    return SubnetLease(subnet, public_ip, kind, data)


def _decode(value: str) -> Any:
    """Return the JSON value of a text; fast for text without surrounding spaces, as most leases are."""
    if value[:1] != "{":
        return _decoder.decode(value)
    raw, end = _decoder.raw_decode(value)
    return raw if end == len(value) else _decoder.decode(value)


def lease_problem(lease: SubnetLease, config: NetworkConfig) -> str | None:
    """Return why this lease must not be routed, as a sentence, None for a valid lease.

    The subnet must be inside Network. Its length and position may differ from SubnetLen, SubnetMin and SubnetMax, as
    after a change of these: such leases are used until they expire, so that their containers stay reachable.
    """
    subnet, address = lease.subnet, lease.public_ip
    if not config.network.covers(subnet) or subnet.length <= config.network.length:
        return f"lease {lease.key}: subnet {subnet} is not a part of Network {config.network}"
    if config.network.has(address):
        return f"lease {lease.key}: PublicIP {format_ipv4(address)} lies inside the overlay Network {config.network}"
    first_byte = address >> 24
    if first_byte in (0, 127) or first_byte >= 224:
        return f"lease {lease.key}: PublicIP {format_ipv4(address)} is not the address of a host"
    return None


def overlapping(leases: Iterable[SubnetLease]) -> list[tuple[SubnetLease, SubnetLease]]:
    """Return pairs of leases that overlap: for each lease inside a wider one, the wider one and this lease."""
    pairs: list[tuple[SubnetLease, SubnetLease]] = []
    wide: SubnetLease | None = None
    for lease in sorted(leases, key=lambda lease: lease.subnet):
        if wide is not None and wide.subnet.overlaps(lease.subnet):
            pairs.append((wide, lease))
        else:
            wide = lease  # subnets are nested or disjoint, so no later lease can overlap the former one
    return pairs
