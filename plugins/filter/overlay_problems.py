# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter overlay_problems: checks a network config against the hosts of the inventory before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.basic import missing_required_lib
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_config import wanted_config
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.backends import EXTENSION
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import ConfigError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.setting_names import (
    SettingNames,
    option_names,
)

try:
    from netaddr import AddrFormatError, IPAddress, IPNetwork
except ImportError:
    HAS_NETADDR = False
else:
    HAS_NETADDR = True

CONFIG_OPTIONS = ("network", "subnet_len", "subnet_min", "subnet_max", "backend", "psk")


def overlay_problems(
    config: Mapping[str, Any],
    hosts: Iterable[Mapping[str, Any]],
    ranges: Mapping[str, str] | None = None,
    prefix: str = "",
) -> list[str]:
    """Return a sentence for each reason why the hosts cannot use this network config; see the documentation."""
    if not HAS_NETADDR:
        raise AnsibleFilterError(missing_required_lib("netaddr", reason="on the controller, for overlay_problems"))
    if not isinstance(config, Mapping):
        raise AnsibleFilterError(f"overlay_problems: {config!r} is not a dictionary; use the options of network_config")
    names = option_names(prefix)
    try:
        parsed = NetworkConfig.from_mapping(wanted_config({name: config.get(name) for name in CONFIG_OPTIONS}, names))
    except ConfigError as error:
        return [str(error)]
    members = list(hosts)
    return [
        *_capacity_problems(parsed, members, names),
        *_address_problems(parsed, members, names),
        *_subnet_problems(parsed, members, names, f"{prefix}subnet"),
        *_command_problems(parsed, members),
        *_range_problems(parsed, _named_ranges(members, ranges or {}), names),
    ]


def _capacity_problems(config: NetworkConfig, hosts: list[Mapping[str, Any]], names: SettingNames) -> Iterator[str]:
    if config.capacity < len(hosts):
        yield (
            f"{names.network} {config.network} has {config.capacity} subnets of {names.subnet_len} {config.subnet_len} "
            f"from {names.subnet_min} to {names.subnet_max}, but there are {len(hosts)} hosts; "
            f"use a larger {names.network}, a larger {names.subnet_len} or a wider range"
        )


def _address_problems(config: NetworkConfig, hosts: list[Mapping[str, Any]], names: SettingNames) -> Iterator[str]:
    overlay = IPNetwork(str(config.network))
    holders: dict[IPAddress, str] = {}
    for host in hosts:
        if not host.get("address"):
            continue
        try:
            address = IPAddress(str(host["address"]))
        except (AddrFormatError, ValueError):
            yield f"host {host['name']}: address {host['address']!r} is not an IP address such as 192.0.2.11"
            continue
        if address.version != 4:
            yield f"host {host['name']}: address {address} is not IPv4, which the hosts of an overlay need"
        elif address in overlay:
            yield f"host {host['name']}: address {address} lies inside {names.network} {overlay}; choose another range"
        if address in holders:
            yield f"hosts {holders[address]} and {host['name']} have the same address {address}; correct one of them"
        holders.setdefault(address, host["name"])


def _subnet_problems(
    config: NetworkConfig, hosts: list[Mapping[str, Any]], names: SettingNames, option: str
) -> Iterator[str]:
    holders: dict[Subnet, str] = {}
    for host in hosts:
        if not host.get("subnet"):
            continue
        try:
            subnet = Subnet.parse(host["subnet"])
        except ValueError as error:
            yield f"host {host['name']}: {option} {error}"
            continue
        if not config.fits(subnet):
            yield (
                f"host {host['name']}: {option} {subnet} is not a /{config.subnet_len} "
                f"from {names.subnet_min} {config.subnet_min} to {names.subnet_max} {config.subnet_max}"
            )
        if subnet in holders:
            yield f"hosts {holders[subnet]} and {host['name']} have the same {option} {subnet}; change one of them"
        holders.setdefault(subnet, host["name"])


def _command_problems(config: NetworkConfig, hosts: list[Mapping[str, Any]]) -> Iterator[str]:
    names = [host["name"] for host in hosts if host.get("extension_commands") == "none"]
    if config.backend.type == EXTENSION and names:
        yield (
            f"hosts {', '.join(names)}: the backend extension runs commands of the network config as root, and "
            f"agent_extension_commands is none there; set it to direct or shell if you trust everyone who can write "
            f"the network config in etcd"
        )


def _named_ranges(hosts: list[Mapping[str, Any]], ranges: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from ranges.items()
    for host in hosts:
        yield from ((f"host {host['name']}", text) for text in host.get("ranges") or ())


def _range_problems(config: NetworkConfig, ranges: Iterable[tuple[str, str]], names: SettingNames) -> Iterator[str]:
    overlay = IPNetwork(str(config.network))
    for name, text in ranges:
        try:
            other = IPNetwork(str(text))
        except (AddrFormatError, ValueError):
            yield f"{name}: range {text!r} is not a network such as 172.17.0.0/16"
            continue
        if other in overlay or overlay in other:
            yield f"{name}: range {other.cidr} overlaps {names.network} {overlay}; choose another range for one of them"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"overlay_problems": overlay_problems}
