#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reserve a subnet for a host of an overlay network, or release one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: subnet_lease
short_description: Reserve a subnet for a host of an overlay network, or release one
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - A reservation is a key below C(<prefix>/subnets) that never expires. The agent of the host with that public IP uses
    this subnet at each start, and does not add an expiry to the key.
  - A lease in use, which expires if its agent does not renew it, is converted to a reservation without an interruption.
  - The subnet of another host is reserved or released only with O(force=true).
  - C(flanneld) exits if its lease is deleted, or reserved for another host. C(overlayd) continues with a new lease.
  - C(flanneld) supports reservations with the v2 API only. With v3 it treats a reservation as an expired lease.
options:
  state:
    description:
      - V(present) reserves a subnet for the host.
      - V(absent) deletes the leases and reservations of O(subnet), or of O(public_ip).
    type: str
    choices: [present, absent]
    default: present
  public_ip:
    description:
      - The address at which other hosts reach the host, such as V(192.0.2.11).
      - Required if O(state=present). With O(state=absent) and O(subnet), both must match the lease in etcd.
    type: str
  subnet:
    description:
      - The subnet, such as V(10.5.7.0/24).
      - The default with O(state=present) is the current subnet of the host, or the first free subnet.
      - If the host has another subnet, the module fails unless O(force=true).
    type: str
  force:
    description:
      - With O(state=present), reserve the subnet even if another host has it, and release other subnets of the host.
      - With O(state=absent), release the subnet even if another host has it or it may be in use.
    type: bool
    default: false
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
attributes:
  check_mode:
    support: full
    details:
      - If other hosts lease subnets at the same time, the real run may select another free subnet.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.subnet_lease_info
  - module: clusternet.overlay.network_config
"""

EXAMPLES = r"""
- name: Reserve the current subnet of each host, or a free one
  clusternet.overlay.subnet_lease:
    public_ip: "{{ ansible_facts['default_ipv4']['address'] }}"
  become: true

- name: Reserve a chosen subnet before the agent starts for the first time
  clusternet.overlay.subnet_lease:
    endpoints: ["http://192.0.2.11:2379"]
    public_ip: 192.0.2.21
    subnet: 10.5.7.0/24

- name: Release the subnets of a host that no longer exists
  clusternet.overlay.subnet_lease:
    state: absent
    public_ip: 192.0.2.21
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
lease:
  description: The reservation after the run, or as it would be in check mode; empty if O(state=absent).
  returned: success
  type: dict
  contains:
    key:
      description: The etcd key.
      returned: always
      type: str
      sample: /coreos.com/network/subnets/10.5.7.0-24
    subnet:
      description: The subnet.
      returned: always
      type: str
      sample: 10.5.7.0/24
    public_ip:
      description: The address at which other hosts reach the host.
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
      description: V(null), because a reservation does not expire.
      returned: always
      type: int
      sample: null
    reservation:
      description: V(true).
      returned: always
      type: bool
      sample: true
    revision:
      description: The etcd revision of the key's last change; V(null) if the key does not exist yet.
      returned: always
      type: int
      sample: 57
    problem:
      description: V(null). Use M(clusternet.overlay.subnet_lease_info) to validate leases.
      returned: always
      type: str
      sample: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish
from ansible_collections.clusternet.overlay.plugins.module_utils._module.subnet_lease import (
    release,
    request_of,
    reserve,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            public_ip={"type": "str"},
            subnet={"type": "str"},
            force={"type": "bool", "default": False},
        ),
        required_if=[
            ("state", "present", ("public_ip",)),
            ("state", "absent", ("public_ip", "subnet"), True),
        ],
        supports_check_mode=True,
    )
    act = reserve if module.params["state"] == "present" else release
    finish(module, lambda store, prefix: act(store, prefix, request_of(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
