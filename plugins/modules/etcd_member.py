#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Add a member to an etcd cluster, or remove one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Add a member to an etcd cluster, or remove one
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Changes the member list of the cluster through etcd's v3 API. The peer URL identifies a member.
  - The module does not start the new member, and does not stop the removed one. Use separate tasks for this.
  - etcd refuses a new member until the previous one has been connected for some seconds. The module waits for this.
options:
  peer_url:
    description:
      - The URL at which other members reach this member, such as V(http://192.0.2.14:2380).
    type: str
    required: true
  name:
    description:
      - The name of the member. Required with O(state=present), for RV(initial_cluster).
    type: str
    default: ""
  state:
    description:
      - V(present) adds the member, V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description:
      - How many seconds to wait until etcd accepts a new member.
    type: int
    default: 60
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
seealso:
  - module: clusternet.overlay.etcd_member_info
"""

EXAMPLES = r"""
- name: Announce a new member
  clusternet.overlay.etcd_member:
    endpoints: ["http://192.0.2.11:2379"]
    name: docker4
    peer_url: http://192.0.2.14:2380
  register: announced

- name: Show the initial cluster of the new member
  ansible.builtin.debug:
    msg: "ETCD_INITIAL_CLUSTER={{ announced.initial_cluster }}"

- name: Remove a member whose host no longer exists
  clusternet.overlay.etcd_member:
    endpoints: ["http://192.0.2.11:2379"]
    peer_url: http://192.0.2.13:2380
    state: absent
"""

RETURN = r"""
members:
  description: The members after the change, as M(clusternet.overlay.etcd_member_info) returns them.
  returned: success
  type: list
  elements: dict
initial_cluster:
  description: The value of etcd's setting C(initial-cluster) for the new member.
  returned: when O(state=present)
  type: str
  sample: docker1=http://192.0.2.11:2380,docker4=http://192.0.2.14:2380
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_member import change
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish_connection


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            peer_url={"type": "str", "required": True},
            name={"type": "str", "default": ""},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            wait={"type": "int", "default": 60},
        ),
        supports_check_mode=True,
    )
    finish_connection(module, lambda connection, _prefix: change(connection, module.params, module.check_mode))


if __name__ == "__main__":
    main()
