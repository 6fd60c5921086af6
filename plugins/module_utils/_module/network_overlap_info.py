# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module network_overlap_info: the rule of model/overlap.py for a host whose agent may not be installed yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ..overlay.host.memory import Memory, memory_file, recall
from ..overlay.kernel.host_networks import read_host_networks
from ..overlay.kernel.underlay import choose_underlay
from ..overlay.model.addresses import Subnet, parse_ipv4
from ..overlay.model.errors import KernelError
from ..overlay.model.network import NetworkConfig
from ..overlay.model.overlap import network_problems
from .network_config import wanted_config
from .overlay_host import former_setup


def show(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the module's result; raise ConfigError for an unusable network, KernelError."""
    # How packets travel has no part in the rule.
    config = NetworkConfig.from_mapping(wanted_config({**options, "backend": {"Type": "vxlan"}}))
    memory = recall(memory_file(options["state_dir"], options["prefix"]))
    networks = _former_networks(memory, options["subnet_file"])
    host = read_host_networks(_addresses(options["etcd_addresses"]))
    problems = network_problems(config, host, _underlay(options), networks.get(config.network))
    return {"changed": False, "problems": problems, "member": config.network in networks}


def _former_networks(memory: Memory | None, subnet_file: str) -> dict[Subnet, Subnet]:
    """Return the host's subnet in each network that it takes part in; what the agent remembers comes first."""
    networks = {}
    former = former_setup(subnet_file)
    if former is not None:
        networks[former.network] = former.subnet
    if memory is not None:
        networks[NetworkConfig.parse(memory.config).network] = memory.own_subnet()
    return networks


def _underlay(options: Mapping[str, Any]) -> str:
    """Return the name of the interface that is to carry the overlay, "" where there is none: the agent reports that."""
    try:
        return choose_underlay(options["iface"], options["iface_regex"], options["iface_can_reach"], "")[0].name
    except KernelError:
        return ""


def _addresses(texts: Iterable[str]) -> list[int]:
    found: list[int] = []
    for text in texts:
        with suppress(ValueError):
            found.append(parse_ipv4(text))
    return found
