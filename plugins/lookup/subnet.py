# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup subnet: the leased subnet of each host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: subnet
short_description: Subnet that a host leased in an overlay network
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the leases from etcd, once for all terms, and returns the subnet of each host.
  - It runs on the controller, so the controller must reach etcd.
options:
  _terms:
    description: Public IPs of hosts.
    type: list
    elements: str
    required: true
  default:
    description:
      - The value for a host without a usable lease. Without this option the lookup fails for such a host.
    type: raw
extends_documentation_fragment:
  - clusternet.overlay.etcd_controller
seealso:
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
- name: Show the subnet of this host
  ansible.builtin.debug:
    msg: "{{ lookup('clusternet.overlay.subnet', ansible_host, endpoints=['http://192.0.2.11:2379']) }}"

- name: Show whether a host takes part
  ansible.builtin.debug:
    msg: "{{ lookup('clusternet.overlay.subnet', '192.0.2.99', default='no lease') }}"
"""

RETURN = r"""
_raw:
  description: The subnet of each host, in the order of the terms.
  type: list
  elements: str
  sample: ["10.50.7.0/24"]
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.plugin_utils.leases import OPTIONS, newest_by_host, read_leases


class LookupModule(LookupBase):
    """Subnets by public IP."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the subnets of these hosts; raise AnsibleLookupError if etcd cannot be read or a host has no lease."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            leases = newest_by_host(read_leases({name: self.get_option(name) for name in OPTIONS})["leases"])
        except OverlayError as error:
            raise AnsibleLookupError(f"lookup subnet: the leases cannot be read: {error}") from error
        return [self._subnet(leases, str(term)) for term in terms]

    def _subnet(self, leases: Mapping[str, Mapping[str, Any]], public_ip: str) -> Any:
        """Return the subnet of a host, or the default."""
        if public_ip in leases:
            return leases[public_ip]["subnet"]
        default = self.get_option("default")
        if default is None:
            raise AnsibleLookupError(
                f"lookup subnet: host {public_ip} has no usable lease; start its agent, or set the option default"
            )
        return default
