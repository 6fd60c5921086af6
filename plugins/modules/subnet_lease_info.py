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
  - A nested key, such as C(<prefix>/subnets/backup/10.5.7.0-24), is no lease; its folder is one of RV(problems).
  - On a host of the overlay it needs no option, as it uses the settings of the overlay agent (see O(endpoints)).
  - No lease at all is an empty list.
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

- name: Stop where a lease is unfit
  ansible.builtin.assert:
    that: not overlay.problems
    fail_msg: "{{ overlay.problems | join('; ') }}"

- name: Set where etcd is once for all modules
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  block:
    - name: Read all leases
      clusternet.overlay.subnet_lease_info:
"""

RETURN = r"""
api:
  description: The etcd API that was spoken.
  returned: success
  type: str
  sample: v3
path:
  description: The etcd key below which the leases live.
  returned: success
  type: str
  sample: /coreos.com/network/subnets
leases:
  description: The leases and reservations that were asked for, in order of subnet; what is no subnet comes last.
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
      description: The subnet, V(null) if the key is none.
      returned: always
      type: str
      sample: 10.5.7.0/24
    public_ip:
      description: The address that other hosts reach the host by, V(null) if the key or its value cannot be understood.
      returned: always
      type: str
      sample: 192.0.2.21
    backend_type:
      description: The backend that the host uses, empty if its agent has not run yet.
      returned: always
      type: str
      sample: vxlan
    backend_data:
      description: What the backend of other hosts needs to know of this one.
      returned: always
      type: dict
      sample: {"VNI": 1, "VtepMAC": "0e:1c:9a:04:7f:22"}
    ttl:
      description: The seconds until the lease expires unless it is renewed, V(null) for a reservation.
      returned: always
      type: int
      sample: 85731
    reservation:
      description: Whether the key never expires.
      returned: always
      type: bool
      sample: false
    revision:
      description: The revision of etcd at which the key was last changed.
      returned: always
      type: int
      sample: 57
    problem:
      description: A sentence that says why no host should route to this lease, V(null) if it is sound.
      returned: always
      type: str
      sample: null
problems:
  description:
    - Sentences that say what is wrong with the leases, those not asked for included, and with the network config.
  returned: success
  type: list
  elements: str
  sample: ["host 192.0.2.21 holds 2 leases: 10.5.7.0-24, 10.5.9.0-24"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd import argument_spec, finish
from ansible_collections.clusternet.overlay.plugins.module_utils._subnet_lease import request_of, show


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(subnet={"type": "str"}, public_ip={"type": "str"}),
        supports_check_mode=True,
    )
    finish(module, lambda store, prefix: show(store, prefix, request_of(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
