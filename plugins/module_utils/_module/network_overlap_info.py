# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module network_overlap_info: the rules of model/overlap.py, for a host with or without the agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..overlay.diagnosis.agent_settings import AGENT_FILE, read_settings
from ..overlay.host.memory import Memory, memory_file, recall
from ..overlay.kernel.host_networks import read_host_networks
from ..overlay.kernel.underlay import choose_underlay
from ..overlay.model.addresses import Subnet, parse_ipv4
from ..overlay.model.errors import ConfigError, KernelError, OverlayError
from ..overlay.model.network import DEFAULT_PREFIX, NetworkConfig
from ..overlay.model.overlap import network_problems
from ..overlay.model.setting_names import option_names
from ..overlay.store.schema import Keys, normal_prefix
from .former_setup import former_setup
from .network_config import wanted_config
from .runner import open_store

_VARIABLES = option_names("overlay_")  # the roles' variables


def show(module: AnsibleModule) -> dict[str, Any]:
    """Return the module's result; raise ConfigError for an unusable network, StoreError, KernelError."""
    options = module.params
    config, prefix = _stated(options) if options["network"] else _stored(module)
    memory = recall(memory_file(options["state_dir"], prefix))
    networks = _own_subnets(memory, options["subnet_file"])
    host = read_host_networks(_addresses(options["etcd_addresses"]))
    problems = network_problems(config, host, _underlay(options), networks.get(config.network), _VARIABLES)
    agent_prefix = normal_prefix(read_settings(AGENT_FILE).get("FLANNELD_ETCD_PREFIX", ""))
    return {"changed": False, "problems": problems, "member": config.network in networks, "agent_prefix": agent_prefix}


def _stated(options: Mapping[str, Any]) -> tuple[NetworkConfig, str]:
    """Return the network of the options, and the etcd prefix; the rules do not depend on the backend."""
    config = NetworkConfig.from_mapping(wanted_config({**options, "backend": {"Type": "vxlan"}}))
    return config, options["prefix"] or DEFAULT_PREFIX


def _stored(module: AnsibleModule) -> tuple[NetworkConfig, str]:
    """Return the network config in etcd, and its prefix; the error names the option to use without etcd."""
    try:
        store, prefix = open_store(module)
        with closing(store):
            item = store.get(Keys(prefix).config)
        if item is None:
            raise ConfigError(f"etcd has no network config {Keys(prefix).config}; write one with network_config")
        return NetworkConfig.parse(item.value), prefix
    except OverlayError as error:
        raise ConfigError(f"{error}; or set the option network, such as network=10.50.0.0/16") from error


def _own_subnets(memory: Memory | None, subnet_file: str) -> dict[Subnet, Subnet]:
    """Return the host's subnet in each network of which it is part; the memory file overrides the subnet file."""
    networks = {}
    former = former_setup(subnet_file)
    if former is not None:
        networks[former.network] = former.subnet
    if memory is not None:
        networks[NetworkConfig.parse(memory.config).network] = memory.own_subnet()
    return networks


def _underlay(options: Mapping[str, Any]) -> str:
    """Return the name of the underlay interface, "" if none can be chosen, which the agent reports."""
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
