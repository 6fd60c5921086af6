#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the subnet leases of an overlay network from etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: subnet_lease_info
short_description: Read the subnet leases of an overlay network from etcd
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the leases, which are the direct children of C(<prefix>/subnets), and reports which of them are unusable
    and why.
  - A nested key, such as C(<prefix>/subnets/backup/10.5.7.0-24), is not a lease; RV(problems) lists its folder.
  - On a host of the overlay no option is needed. The module uses the settings of the agent (see O(endpoints)).
  - If there is no lease, the list is empty.
options:
  subnet:
    description:
      - Return the lease of this subnet only, such as V(10.5.7.0/24).
    type: str
  public_ip:
    description:
      - Return the leases of the host with this address only.
    type: str
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.subnet_lease
  - module: clusternet.overlay.network_config_info
"""

EXAMPLES = r"""
# Ad hoc, on hosts of the overlay:
#   ansible all --become -m clusternet.overlay.subnet_lease_info

- name: Read the lease of this host
  clusternet.overlay.subnet_lease_info:
    public_ip: "{{ ansible_facts['default_ipv4']['address'] }}"
  become: true
  register: overlay

- name: Fail if a lease is unusable
  ansible.builtin.assert:
    that: not overlay.problems
    fail_msg: "{{ overlay.problems | join('; ') }}"

- name: Set the etcd endpoints once for all modules
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  block:
    - name: Read all leases
      clusternet.overlay.subnet_lease_info:
"""

RETURN = r"""
api:
  description: The etcd API that was used.
  returned: success
  type: str
  sample: v3
path:
  description: The etcd key of the folder with the leases.
  returned: success
  type: str
  sample: /coreos.com/network/subnets
leases:
  description: The selected leases and reservations, sorted by subnet; keys that are not subnets come last.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The etcd key.
      returned: always
      type: str
      sample: /coreos.com/network/subnets/10.5.7.0-24
    subnet:
      description: The subnet; V(null) if the key is not a subnet.
      returned: always
      type: str
      sample: 10.5.7.0/24
    public_ip:
      description: The address at which other hosts reach the host; V(null) if the key or its value is invalid.
      returned: always
      type: str
      sample: 192.0.2.21
    backend_type:
      description: The backend of the host; empty if its agent has not run yet.
      returned: always
      type: str
      sample: vxlan
    backend_data:
      description: The data that the backend of other hosts needs.
      returned: always
      type: dict
      sample: {"VNI": 1, "VtepMAC": "0e:1c:9a:04:7f:22"}
    ttl:
      description: The seconds until the lease expires if it is not renewed; V(null) for a reservation.
      returned: always
      type: int
      sample: 85731
    reservation:
      description: Whether the key never expires.
      returned: always
      type: bool
      sample: false
    revision:
      description: The etcd revision of the key's last change.
      returned: always
      type: int
      sample: 57
    problem:
      description: The reason why no host should route to this lease, as a sentence; V(null) if the lease is valid.
      returned: always
      type: str
      sample: null
problems:
  description:
    - A sentence for each problem of the network config and of all leases, including those that were not selected.
  returned: success
  type: list
  elements: str
  sample: ["host 192.0.2.21 holds 2 leases: 10.5.7.0-24, 10.5.9.0-24"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish
from ansible_collections.clusternet.overlay.plugins.module_utils._module.subnet_lease import request_of, show


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(subnet={"type": "str"}, public_ip={"type": "str"}),
        supports_check_mode=True,
    )
    finish(module, lambda store, prefix: show(store, prefix, request_of(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
