# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory plugin leases: the hosts that hold a lease of an overlay network."""

from __future__ import annotations

DOCUMENTATION = r"""
name: leases
short_description: Hosts that hold a lease of an overlay network
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the leases from etcd. Each host with a usable lease is a host of the inventory, named by its public IP.
  - If another inventory source that was read before has a host with this C(ansible_host) or this name, that host gets
    the variables instead. Source files in a folder are read in alphabetical order.
  - The variables of a host are C(lease_subnet), C(lease_public_ip), C(lease_backend), C(lease_backend_data),
    C(lease_ttl) (seconds, null for a reservation), C(lease_reservation) and C(lease_key).
  - The hosts are in the group C(leases), and in a group for each backend, such as C(backend_vxlan) or
    C(backend_host_gw). Hosts whose lease names no backend are in C(backend_none).
  - Unusable leases, and older ones of a host that holds several, are left out with a warning.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [clusternet.overlay.leases]
extends_documentation_fragment:
  - clusternet.overlay.etcd_controller
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
seealso:
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
# overlay_leases.yml: the name of the file must end with overlay_leases.yml or overlay_leases.yaml
plugin: clusternet.overlay.leases
endpoints: [https://192.0.2.11:2379, https://192.0.2.12:2379]
ca_file: /etc/etcd/ca.crt

# ansible-inventory -i overlay_leases.yml --graph

# With names of your own, and a group for each site:
# plugin: clusternet.overlay.leases
# endpoints: [http://192.0.2.11:2379]
# keyed_groups:
#   - key: lease_public_ip.split('.')[2]
#     prefix: site
"""

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.plugin_utils.leases import OPTIONS, newest_by_host, read_leases

FILES = ("overlay_leases.yml", "overlay_leases.yaml")
GROUP = "leases"


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Hosts from leases."""

    NAME = "clusternet.overlay.leases"

    def verify_file(self, path: str) -> bool:
        """Whether the name of a source file is one of this plugin."""
        return super().verify_file(path) and path.endswith(FILES)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the hosts of the leases, from etcd or from the cache; raise AnsibleParserError if etcd cannot be read."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        found = self._cached(path, cache)
        for problem in found["problems"]:
            self.display.warning(f"{path}: {problem}")
        self.inventory.add_group(GROUP)
        known = self._known_hosts()
        for public_ip, lease in newest_by_host(found["leases"]).items():
            self._add(known.get(public_ip, public_ip), lease)

    def _cached(self, path: str, cache: bool) -> dict[str, Any]:
        """Return what etcd has, from the cache if it is enabled and current."""
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        enabled = self.get_option("cache")
        if enabled and cache:
            try:
                return dict(self._cache[key])
            except KeyError:
                pass
        try:
            found = read_leases({name: self.get_option(name) for name in OPTIONS})
        except OverlayError as error:
            raise AnsibleParserError(f"{path}: the leases cannot be read: {error}") from error
        if enabled:
            self._cache[key] = found
        return found

    def _known_hosts(self) -> dict[str, str]:
        """Return the name of each host that other inventory sources have, by its address."""
        hosts = self.inventory.hosts.values()
        return {str(host.vars.get("ansible_host", host.name)): str(host.name) for host in hosts}

    def _add(self, name: str, lease: dict[str, Any]) -> None:
        """Add a host with the variables and the groups of its lease."""
        self.inventory.add_host(name, group=GROUP)
        backend = lease["backend_type"] or "none"
        group = self.inventory.add_group(self._sanitize_group_name(f"backend_{backend}"))
        self.inventory.add_host(name, group=group)
        if name == lease["public_ip"]:
            self.inventory.set_variable(name, "ansible_host", name)
        variables = {
            "lease_key": lease["key"],
            "lease_subnet": lease["subnet"],
            "lease_public_ip": lease["public_ip"],
            "lease_backend": lease["backend_type"],
            "lease_backend_data": lease["backend_data"],
            "lease_ttl": lease["ttl"],
            "lease_reservation": lease["reservation"],
        }
        for variable, value in variables.items():
            self.inventory.set_variable(name, variable, value)
        strict = self.get_option("strict")
        merged = self.inventory.get_host(name).get_vars()
        self._set_composite_vars(self.get_option("compose"), merged, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), merged, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), merged, name, strict=strict)
