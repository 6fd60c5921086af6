#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Enable authentication in etcd, with a user that is limited to the keys of one overlay network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_auth
short_description: Enable authentication in etcd with a user for one overlay network
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Creates the user C(root), the role and the user of the overlay network, and enables authentication.
  - The role may read and write the keys that begin with O(prefix) and a slash, and nothing else.
  - Authentication is enabled last, so clients still have access after an interrupted run. Repeat the run to complete
    it.
  - A changed O(user_password) is set in etcd. Use C(etcdctl user passwd root) to change the password of C(root).
options:
  username:
    description:
      - The user of the connection. It must be V(root), because etcd requires this user to enable authentication.
  password:
    description:
      - The password of C(root). While authentication is disabled, the module sets this password for C(root).
  prefix:
    description:
      - The etcd prefix of the network.
  user:
    description:
      - The user of the overlay network. Its role has the same name.
    type: str
    required: true
  user_password:
    description:
      - The password of O(user). It is never printed.
    type: str
    required: true
  v2:
    description:
      - Also set up users for the v2 API, which has separate users. The permissions of its role C(guest) are revoked.
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
      - If O(v2=true) and etcd does not serve the v2 API yet, the steps for a fresh cluster are returned.
  diff_mode:
    support: full
    details:
      - The diff lists the commands of C(etcdctl) that would do the same, without any password.
  idempotent:
    support: full
    details:
      - While authentication is disabled, passwords cannot be checked. So the passwords of existing users are set again.
seealso:
  - module: clusternet.overlay.etcd_member
"""

EXAMPLES = r"""
- name: Enable authentication with a user for the overlay network
  clusternet.overlay.etcd_auth:
    endpoints: ["http://127.0.0.1:2379"]
    username: root
    password: "{{ vault_etcd_root_password }}"
    user: overlay
    user_password: "{{ vault_etcd_overlay_password }}"
  run_once: true
"""

RETURN = r"""
commands:
  description: The commands of C(etcdctl) that make the same changes, without any password.
  returned: success
  type: list
  elements: str
  sample: [etcdctl user add overlay, etcdctl auth enable]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_auth import set_up
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish_connection


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            user={"type": "str", "required": True},
            user_password={"type": "str", "required": True, "no_log": True},
            v2={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    finish_connection(module, lambda connection, prefix: set_up(connection, prefix, module.params, module.check_mode))


if __name__ == "__main__":
    main()
