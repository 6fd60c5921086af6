#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State the network config of an overlay network in etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_config
short_description: State the network config of an overlay network in etcd
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Creates, changes or removes the key C(<prefix>/config), which says what addresses an overlay network has, how they
    are cut into subnets, and which backend joins the hosts. C(overlayd) and C(flanneld) read the same key.
  - What the options say is the whole config. A key that is not given gets its default, whatever stood there before.
    Keys in etcd that this module has no option for, such as C(EnableNFTables), are kept.
  - A config that says the same in other words (other case of key names, a default written out) is left as it is.
  - The write is a compare-and-swap, so that a change made by someone else at the same time is never lost.
options:
  state:
    description:
      - With V(present) the config says what the options say.
      - With V(absent) there is no config. Agents that run keep their leases, agents that start wait for a config.
    type: str
    choices: [present, absent]
    default: present
  network:
    description:
      - The range of addresses of the overlay network, such as V(10.5.0.0/16).
      - Required if O(state=present).
    type: str
  subnet_len:
    description:
      - The prefix length of the subnet that each host leases, at most 30 and at least two more than that of O(network).
      - The default is 24 if O(network) is a /22 or larger, and two more than the length of O(network) otherwise.
    type: int
  subnet_min:
    description:
      - The first subnet that may be leased, by its first address. The default is the second subnet of O(network).
    type: str
  subnet_max:
    description:
      - The last subnet that may be leased, by its first address. The default is the last subnet of O(network).
    type: str
  backend:
    description:
      - How packets get from host to host, in flannel's names, which match in any case.
      - C(Type) is V(vxlan) or V(host-gw). With V(vxlan) there may also be C(VNI) (default V(1)), C(Port) (default
        V(8472)), C(MTU) of the path below the tunnel (default that of the interface), and the switches
        C(DirectRouting), C(GBP) and C(Learning) (default V(false)).
      - Required if O(state=present).
    type: dict
  force:
    description:
      - Change the config even if that breaks leases in use, because they do not fit the new ranges, or because their
        hosts use another backend, VNI or port until their agents are restarted.
      - Remove the config even if there are leases.
    type: bool
    default: false
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
  - module: clusternet.overlay.network_config_info
  - module: clusternet.overlay.subnet_lease
"""

EXAMPLES = r"""
- name: One overlay network over vxlan, a /24 for each host
  clusternet.overlay.network_config:
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
    ca_file: /etc/overlay/pki/ca.crt
    cert_file: /etc/overlay/pki/client.crt
    key_file: /etc/overlay/pki/client.key
    network: 10.5.0.0/16
    backend:
      Type: vxlan
  run_once: true

- name: Small subnets from a part of the network, routed without a tunnel
  clusternet.overlay.network_config:
    prefix: /atomic.io/network
    network: 10.5.0.0/16
    subnet_len: 26
    subnet_min: 10.5.64.0
    subnet_max: 10.5.127.192
    backend:
      Type: host-gw
  run_once: true

- name: Take the network down, though hosts that are gone still have leases
  clusternet.overlay.network_config:
    state: absent
    force: true
  run_once: true
"""

RETURN = r"""
path:
  description: The etcd key of the config.
  returned: success
  type: str
  sample: /coreos.com/network/config
api:
  description: The etcd API that was spoken.
  returned: success
  type: str
  sample: v3
revision:
  description: The revision of etcd at which the key was last changed, V(null) if it is not there.
  returned: success
  type: int
  sample: 41
raw:
  description: The text of the key, empty if it is not there.
  returned: success
  type: str
  sample: '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
config:
  description: What the config says, with the defaults of keys that are not given; empty if there is none.
  returned: success
  type: dict
  sample:
    network: 10.5.0.0/16
    subnet_len: 24
    subnet_min: 10.5.1.0
    subnet_max: 10.5.255.0
    capacity: 255
    backend: {type: vxlan, vni: 1, port: 8472, mtu: null, gbp: false, learning: false, direct_routing: false}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd import argument_spec, finish
from ansible_collections.clusternet.overlay.plugins.module_utils._network_config import put_config, remove_config


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            network={"type": "str"},
            subnet_len={"type": "int"},
            subnet_min={"type": "str"},
            subnet_max={"type": "str"},
            backend={"type": "dict"},
            force={"type": "bool", "default": False},
        ),
        required_if=[("state", "present", ("network", "backend"))],
        supports_check_mode=True,
    )
    options, check = module.params, module.check_mode
    if options["state"] == "absent":
        finish(module, lambda store, prefix: remove_config(store, prefix, options["force"], check))
    else:
        finish(module, lambda store, prefix: put_config(store, prefix, options, check))


if __name__ == "__main__":
    main()
