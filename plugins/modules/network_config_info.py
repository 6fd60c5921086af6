#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the network config of an overlay network from etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_config_info
short_description: Read the network config of an overlay network from etcd
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads and validates the key C(<prefix>/config).
  - If the key does not exist, the result is empty. If it exists in the store of the other etcd API, RV(problems) has a
    hint.
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.network_config
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
- name: Read the network config with the settings of the overlay agent
  clusternet.overlay.network_config_info:
  become: true
  register: overlay

- name: Fail if the fleet has no usable config
  ansible.builtin.assert:
    that: overlay.exists and not overlay.problems
    fail_msg: "{{ overlay.problems | join('; ') }}"
"""

RETURN = r"""
exists:
  description: Whether the key exists.
  returned: success
  type: bool
  sample: true
path:
  description: The etcd key of the config.
  returned: success
  type: str
  sample: /coreos.com/network/config
api:
  description: The etcd API that was used.
  returned: success
  type: str
  sample: v3
revision:
  description: The etcd revision of the key's last change; V(null) if the key does not exist.
  returned: success
  type: int
  sample: 41
raw:
  description: The value of the key, with a hidden C(PSK); empty if the key does not exist.
  returned: success
  type: str
  sample: '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
config:
  description: The config, with defaults for missing keys; empty if it is not usable.
  returned: success
  type: dict
  sample:
    network: 10.5.0.0/16
    subnet_len: 24
    subnet_min: 10.5.1.0
    subnet_max: 10.5.255.0
    capacity: 255
    backend: {type: vxlan, vni: 1, port: 8472, mtu: null, gbp: false, learning: false, direct_routing: false}
problems:
  description: A sentence for each reason why the config cannot be used, or for a config in the store of the other API.
  returned: success
  type: list
  elements: str
  sample: ["SubnetMin 10.5.9.0 is above SubnetMax 10.5.8.0; swap them or widen the range"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_config import show_config
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, show_config)


if __name__ == "__main__":
    main()
