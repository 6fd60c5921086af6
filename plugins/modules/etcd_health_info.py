#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the health of each member of an etcd cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_health_info
short_description: Read the health of each member of an etcd cluster
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads C(/health) of each endpoint. A member is healthy if it can read with a quorum of the cluster.
  - If a member is unhealthy or does not answer, the module succeeds, and the result has the reason.
options:
  wait:
    description:
      - How many seconds to wait until all endpoints are healthy. With V(0) the health is read once.
    type: float
    default: 0
  contents:
    description:
      - Also read whether anything was ever written to the etcd at each endpoint, in the v3 and the v2 store.
    type: bool
    default: false
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.etcd_member_info
"""

EXAMPLES = r"""
- name: Wait until all members are healthy
  clusternet.overlay.etcd_health_info:
    endpoints: ["http://192.0.2.11:2379", "http://192.0.2.12:2379", "http://192.0.2.13:2379"]
    wait: 60
  register: health

- name: Fail if a member is not healthy
  ansible.builtin.assert:
    that: health.problems | length == 0
    fail_msg: "{{ health.problems | join('; ') }}"
"""

RETURN = r"""
members:
  description: The members, in the order of O(endpoints).
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: The client URL.
      returned: always
      type: str
      sample: http://192.0.2.11:2379
    healthy:
      description: Whether the member is healthy.
      returned: always
      type: bool
    problem:
      description: Why the member is not healthy; V(null) if it is.
      returned: always
      type: str
      sample: connection refused
    empty:
      description: Whether nothing was ever written to this etcd; V(false) if that is unknown.
      returned: with O(contents=true)
      type: bool
healthy:
  description: The client URLs of the healthy members.
  returned: success
  type: list
  elements: str
  sample: ["http://192.0.2.11:2379"]
problems:
  description: A text for each member that is not healthy.
  returned: success
  type: list
  elements: str
  sample: ["http://192.0.2.12:2379: connection refused"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_health_info import show
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish_connection


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            wait={"type": "float", "default": 0.0}, contents={"type": "bool", "default": False}
        ),
        supports_check_mode=True,
    )
    finish_connection(module, lambda connection, _prefix: show(connection, module.params), needs_etcd=False)


if __name__ == "__main__":
    main()
