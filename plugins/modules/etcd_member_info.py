#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the members of an etcd cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member_info
short_description: Read the members of an etcd cluster
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the member list from etcd's v3 API.
  - If no endpoint answers, RV(reachable) is V(false) and the module succeeds. If etcd refuses the user, it fails.
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.etcd_member
"""

EXAMPLES = r"""
- name: Read the members of the cluster
  clusternet.overlay.etcd_member_info:
    endpoints: ["http://192.0.2.11:2379"]
  register: cluster

- name: Fail if a member has not started
  ansible.builtin.assert:
    that: cluster.members | selectattr('name', 'equalto', '') | length == 0
"""

RETURN = r"""
reachable:
  description: Whether one of the endpoints answered.
  returned: success
  type: bool
problem:
  description: Why no endpoint answered; V(null) if one did.
  returned: success
  type: str
  sample: null
members:
  description: The members, in etcd's order.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The identifier, as C(etcdctl member remove) takes it.
      returned: always
      type: str
      sample: 8e9e05c52164694d
    name:
      description: The name, empty until the member has started for the first time.
      returned: always
      type: str
      sample: docker1
    peer_urls:
      description: The URLs at which other members reach it.
      returned: always
      type: list
      elements: str
      sample: ["http://192.0.2.11:2380"]
    client_urls:
      description: The URLs at which clients reach it; empty until the member has started for the first time.
      returned: always
      type: list
      elements: str
      sample: ["http://192.0.2.11:2379"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_member import show
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish_connection


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish_connection(module, lambda connection, _prefix: show(connection), needs_etcd=False)


if __name__ == "__main__":
    main()
