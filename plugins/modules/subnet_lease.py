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
  - A reservation is a key below C(<prefix>/subnets) that never expires. The agent of the host with that public IP takes
    this subnet whenever it starts, and keeps the key without expiry.
  - A live lease, one that its agent renews and that expires otherwise, becomes the reservation of the same host without
    the host noticing.
  - The subnet of another host is neither taken nor released unless O(force=true).
  - When the live key of a C(flanneld) is deleted or taken, that daemon ends. C(overlayd) goes on, and leases anew.
  - C(flanneld) keeps a reservation on the v2 API only. On v3 it takes one for an expired lease.
options:
  state:
    description:
      - With V(present) the host has a reservation.
      - With V(absent) there is no lease or reservation of O(subnet), or of O(public_ip).
    type: str
    choices: [present, absent]
    default: present
  public_ip:
    description:
      - The address that other hosts reach the host by, such as V(192.0.2.11).
      - Required if O(state=present). With O(state=absent) and O(subnet) both must agree with what is in etcd.
    type: str
  subnet:
    description:
      - The subnet, such as V(10.5.7.0/24).
      - If O(state=present) and this is not given, it is the one the host has, or the first free one.
      - A host that has another subnet than this one is moved only if O(force=true).
    type: str
  force:
    description:
      - Take the subnet from whoever has it, and give up other subnets of the host.
      - Release the subnet whoever has it, and even if it may be in use.
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
      - While others lease subnets too, the first free one may be another by the time of the real run.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.subnet_lease_info
  - module: clusternet.overlay.network_config
"""

EXAMPLES = r"""
- name: Let each host keep the subnet it has, or give it one
  clusternet.overlay.subnet_lease:
    public_ip: "{{ ansible_facts['default_ipv4']['address'] }}"
  become: true

- name: Give a host a subnet of our choice, before its agent starts for the first time
  clusternet.overlay.subnet_lease:
    endpoints: ["http://192.0.2.11:2379"]
    public_ip: 192.0.2.21
    subnet: 10.5.7.0/24

- name: Release the subnets of a host that is gone for good
  clusternet.overlay.subnet_lease:
    state: absent
    public_ip: 192.0.2.21
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
lease:
  description: The reservation as it is now, or would be in check mode; empty if O(state=absent).
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
      description: The address that other hosts reach the host by.
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
      description: V(null), as a reservation does not expire.
      returned: always
      type: int
      sample: null
    reservation:
      description: V(true).
      returned: always
      type: bool
      sample: true
    revision:
      description: The revision of etcd at which the key was last changed, V(null) if it is not there yet.
      returned: always
      type: int
      sample: 57
    problem:
      description: V(null); M(clusternet.overlay.subnet_lease_info) judges leases.
      returned: always
      type: str
      sample: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd import argument_spec, finish
from ansible_collections.clusternet.overlay.plugins.module_utils._subnet_lease import release, request_of, reserve


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
