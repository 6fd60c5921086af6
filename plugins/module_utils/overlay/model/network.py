# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network config at <prefix>/config in etcd: parsing, defaults and validation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..named_tuple import NamedTuple
from .addresses import Subnet, format_ipv4, parse_ipv4
from .backends import BackendOptions, parse_backend
from .errors import ConfigError
from .secret import shown, shown_message
from .setting_names import JSON_KEYS, SettingNames
from .values import present_keys, truth, whole_number

DEFAULT_PREFIX = "/coreos.com/network"
MAXIMUM_SUBNET_LEN = 30


class NetworkConfig(NamedTuple):
    """One overlay network: its address range, its division into subnets, and its backend."""

    network: Subnet
    subnet_len: int
    subnet_min: Subnet
    subnet_max: Subnet
    backend: BackendOptions

    @property
    def capacity(self) -> int:
        """The number of subnets from SubnetMin to SubnetMax."""
        return (self.subnet_max.first - self.subnet_min.first) // self.subnet_min.size + 1

    def fits(self, subnet: Subnet) -> bool:
        """Whether a host may hold this subnet: the right length, and from SubnetMin to SubnetMax."""
        return subnet.length == self.subnet_len and self.subnet_min.first <= subnet.first <= self.subnet_max.first

    @classmethod
    def parse(cls, text: str) -> NetworkConfig:
        """Return the config of JSON text; raise ConfigError naming the key, the value and the solution."""
        try:
            raw = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"the network config is not JSON ({error}): {shown(text)}") from None
        return cls.from_mapping(raw)

    @classmethod
    def from_mapping(cls, raw: Any, names: SettingNames = JSON_KEYS) -> NetworkConfig:
        """Return the config of a JSON object; keys are accepted in any case, unknown keys ignored (as in flannel).

        Raise ConfigError if it is invalid; ``names`` are the names of the settings in the message. The checks, their
        order and the beginning of each message are flannel's. Cases that flannel accepts silently (no object, no
        Network, SubnetMin above SubnetMax, values out of range) are errors here. A message never contains a PSK.
        """
        try:
            return cls._from(raw, names)
        except ConfigError as error:
            raise ConfigError(shown_message(str(error), raw)) from None

    @classmethod
    def _from(cls, raw: Any, names: SettingNames) -> NetworkConfig:
        if not isinstance(raw, Mapping):
            raise ConfigError(
                f'the network config is not a JSON object: {shown(raw)}; write {{"Network": "10.5.0.0/16", ...}}'
            )
        given = present_keys(raw)
        _refuse_ipv6(given)
        network = _network(given.get("network"), names)
        length = _subnet_len(network, given.get("subnetlen"), names)
        second = Subnet(network.first + (1 << (32 - length)), length)
        last = Subnet.of(network.last, length)
        low = _bound(names.subnet_min, given.get("subnetmin"), network, second, names)
        high = _bound(names.subnet_max, given.get("subnetmax"), network, last, names)
        if low > high:
            raise ConfigError(
                f"{names.subnet_min} {format_ipv4(low.first)} is above {names.subnet_max} {format_ipv4(high.first)}; "
                f"swap them or widen the range"
            )
        return cls(network, length, low, high, parse_backend(given.get("backend"), names))


def _refuse_ipv6(given: Mapping[str, Any]) -> None:
    if truth("EnableIPv6", given.get("enableipv6", False)):
        raise ConfigError("EnableIPv6 true: only IPv4 overlays are supported; remove EnableIPv6 and IPv6Network")
    if not truth("EnableIPv4", given.get("enableipv4", True)):
        raise ConfigError("EnableIPv4 false: only IPv4 overlays are supported; remove EnableIPv4")


def _network(value: Any, names: SettingNames) -> Subnet:
    hint, name = names.network_hint, names.network
    if value is None or value == "":
        raise ConfigError(f"{hint}{name} is not set; write an unused private range such as 10.5.0.0/16 (RFC 1918)")
    if not isinstance(value, str):
        raise ConfigError(f"{hint}{name} is {value!r}; write it as text such as 10.5.0.0/16")
    try:
        network = Subnet.parse_interface(value)[0]
    except ValueError as error:
        raise ConfigError(f"{hint}{name} {error}") from None
    if network.length < 8 or network.first >> 24 in (0, 127) or network.first >> 28 >= 0xE:
        raise ConfigError(
            f"{hint}{name} {value} cannot be used for hosts; use a private range such as 10.5.0.0/16 (RFC 1918)"
        )
    return network


def _subnet_len(network: Subnet, value: Any, names: SettingNames) -> int:
    name = names.subnet_len
    length = 0 if value is None else whole_number(name, value, 0, 32)
    if length == 0:  # flannel's config structure writes 0 if SubnetLen is not set
        if network.length > 28:
            raise ConfigError(
                f"network is too small. Minimum useful network prefix is /28; {names.network} is {network}"
            )
        return 24 if network.length <= 22 else network.length + 2
    if length > MAXIMUM_SUBNET_LEN:
        raise ConfigError(f"{name} must be less than /31; it is {length}, use {MAXIMUM_SUBNET_LEN} or less")
    shortest = network.length + 2
    if length < shortest:
        way_out = f"use {shortest} or more" if shortest <= MAXIMUM_SUBNET_LEN else "use a network of /28 or larger"
        raise ConfigError(
            f"network must be able to accommodate at least four subnets: {name} {length} in {names.network} {network}; "
            f"{way_out}"
        )
    return length


def _bound(name: str, value: Any, network: Subnet, default: Subnet, names: SettingNames) -> Subnet:
    if value in (None, "", "0.0.0.0"):  # flannel's config structure writes 0.0.0.0 if the value is not set
        return default
    try:
        address = parse_ipv4(value)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    if not network.has(address):
        raise ConfigError(f"{name} is not in the range of the {names.network}: {value} in {network}")
    subnet = Subnet.of(address, default.length)
    if subnet.first != address:
        nearest = " and ".join(format_ipv4(first) for first in (subnet.first, subnet.last + 1) if network.has(first))
        raise ConfigError(
            f"{name} is not on a {names.subnet_len} boundary: {value} with {names.subnet_len} {default.length}; "
            f"the nearest are {nearest}"
        )
    return subnet
