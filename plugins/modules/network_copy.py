#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copy an overlay network from etcd's v2 store to its v3 store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_copy
short_description: Copy an overlay network from etcd's v2 store to its v3 store
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Copies the network config and the valid leases below the prefix, if the v2 store has a network config and the v3
    store has none. Each lease keeps the time until it expires, and each reservation stays a reservation.
  - The agents can then move to the v3 store one after the other. Each of them finds its own subnet and the leases of
    the others there. Hosts that still use the v2 store keep the leases of the moved hosts until these expire
    (up to 24 hours).
  - Keys of the v2 store are not changed, and keys that the v3 store already has are kept.
  - An etcd without the v2 API has nothing to copy.
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - With O(api=v2) the module fails.
seealso:
  - module: clusternet.overlay.network_config
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
- name: Copy the network before the agents move to the v3 API
  clusternet.overlay.network_copy:
    endpoints: ["http://192.0.2.11:2379"]
  run_once: true
  register: copy

- name: Show the hosts that must move
  ansible.builtin.debug:
    msg: "{{ copy.leases | map(attribute='public_ip') }}"
"""

RETURN = r"""
path:
  description: The prefix of the network in etcd.
  returned: success
  type: str
  sample: /coreos.com/network
config:
  description:
    - The network config that was copied, without secrets; empty if there was nothing to copy.
  returned: success
  type: str
  sample: '{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}'
leases:
  description: The leases and reservations that were copied, sorted by subnet.
  returned: success
  type: list
  elements: dict
  contains:
    subnet:
      description: The subnet.
      returned: always
      type: str
      sample: 10.50.7.0/24
    public_ip:
      description: The address at which other hosts reach the host.
      returned: always
      type: str
      sample: 192.0.2.21
    ttl:
      description: The seconds until the lease expires; V(null) for a reservation.
      returned: always
      type: int
      sample: 85731
    reservation:
      description: Whether the key never expires.
      returned: always
      type: bool
      sample: false
problems:
  description: A sentence for each key below C(<prefix>/subnets) that was not copied because it is no valid lease.
  returned: success
  type: list
  elements: str
  sample: []
conflicts:
  description:
    - A sentence for each lease that was not copied because the v3 store has its key for another host. The host gets
      another subnet when it moves.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_copy import copy_network
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish_connection


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish_connection(module, lambda connection, prefix: copy_network(connection, prefix, module.check_mode))


if __name__ == "__main__":
    main()
