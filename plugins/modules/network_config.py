#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write or remove the network config of an overlay network in etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_config
short_description: Manage the network config of an overlay network in etcd
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Creates, changes or removes the key C(<prefix>/config). It defines the address range of an overlay network, the size
    of its subnets, and the backend between the hosts. C(overlayd) and C(flanneld) read this key.
  - The options define the whole config. An option that is not set has its default, even if the existing config has
    another value. Keys in etcd for which this module has no option, such as C(EnableNFTables), are kept.
  - An equivalent config (key names in another case, an explicit default) is not changed.
  - The write is a compare-and-swap, so a concurrent change by another client is never lost.
options:
  state:
    description:
      - V(present) writes the config.
      - V(absent) deletes the config. Running agents keep their leases; starting agents wait for a config.
    type: str
    choices: [present, absent]
    default: present
  network:
    description:
      - The address range of the overlay network, such as V(10.5.0.0/16).
      - Bits after the prefix length are ignored, as in flannel. V(10.5.0.1/16) is written as V(10.5.0.0/16).
      - Required if O(state=present).
    type: str
  subnet_len:
    description:
      - The prefix length of each host's subnet, at most 30 and at least two more than that of O(network).
      - The default is 24 if O(network) is a /22 or larger, and two more than the length of O(network) otherwise.
    type: int
  subnet_min:
    description:
      - The address of the first subnet that may be leased. The default is the second subnet of O(network).
    type: str
  subnet_max:
    description:
      - The address of the last subnet that may be leased. The default is the last subnet of O(network).
    type: str
  backend:
    description:
      - The backend between the hosts, with flannel's key names. Their case is ignored.
      - C(Type) is one of the following types; the page C(docs/backends.md) of the collection describes them.
      - V(host-gw) and V(alloc) have no other key.
      - V(ipip) accepts the boolean C(DirectRouting) (default V(false)).
      - V(extension) has the commands C(PreStartupCommand), C(PostStartupCommand), C(SubnetAddCommand) and
        C(SubnetRemoveCommand), at least one of them. The hosts run them as root, if C(agent_extension_commands) of the
        role P(clusternet.overlay.agent#role) permits it.
      - V(vxlan) accepts C(VNI) (default V(1)), C(Port) (default V(8472)),
        C(MTU) of the path between the hosts (default that of the interface), and the booleans C(DirectRouting), C(GBP)
        and C(Learning) (default V(false)).
      - V(udp) accepts C(Port) (default V(8285)).
      - V(wireguard) accepts C(ListenPort) (default V(51820)), C(PersistentKeepaliveInterval) in seconds (default V(0)),
        C(MTU) of the path, C(Mode) (V(separate), V(auto) or V(ipv4), which mean the same) and C(ListenPortV6).
        The key C(PSK) has the option O(psk).
      - Required if O(state=present).
    type: dict
  psk:
    description:
      - The pre-shared key of all hosts, as C(wg genpsk) prints it. Used if the C(Type) in O(backend) is V(wireguard).
      - It becomes C(PSK) in the network config. Results, logs and the diff do not contain it.
    type: str
    version_added: 1.1.0
  force:
    description:
      - Change the config even if leases in use do not fit it, because a subnet is outside of the new range (its host
        then leases another subnet), or because hosts use another backend, VNI or port now.
      - C(overlayd) uses another backend, VNI or port at once, and hosts with different backends reach each other.
        C(flanneld) uses it after its restart. Before the restart it has no route to hosts with another backend. A lease
        does not contain which of the two programs its host runs, so such a change also needs O(force=true).
      - With O(state=absent), delete the config even if leases exist.
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
- name: Write the config of a vxlan network with a /24 for each host
  clusternet.overlay.network_config:
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.12:2379", "https://192.0.2.13:2379"]
    ca_file: /etc/overlay/pki/ca.crt
    cert_file: /etc/overlay/pki/client.crt
    key_file: /etc/overlay/pki/client.key
    network: 10.5.0.0/16
    backend:
      Type: vxlan
  run_once: true

- name: Write the config of a host-gw network with small subnets from a part of its range
  clusternet.overlay.network_config:
    prefix: /atomic.io/network
    network: 10.5.0.0/16
    subnet_len: 26
    subnet_min: 10.5.64.0
    subnet_max: 10.5.127.192
    backend:
      Type: host-gw
  run_once: true

- name: Write the config of an encrypted network
  clusternet.overlay.network_config:
    network: 10.5.0.0/16
    backend:
      Type: wireguard
    psk: "{{ vault_overlay_psk }}"
  run_once: true

- name: Delete the config although leases exist
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
  description: The config, with defaults for missing keys; empty if there is none.
  returned: success
  type: dict
  sample:
    network: 10.5.0.0/16
    subnet_len: 24
    subnet_min: 10.5.1.0
    subnet_max: 10.5.255.0
    capacity: 255
    backend: {type: vxlan, vni: 1, port: 8472, mtu: null, gbp: false, learning: false, direct_routing: false}
change:
  description:
    - The effects of a changed config; empty if it does not change. Hosts are public IPs of leases.
    - C(settings) has the option, the old value and the new value of each difference.
    - C(hosts) are all hosts with a lease. The hosts in C(moved) must lease another subnet. The hosts in C(new_mtu) keep
      their subnet, but their MTU changes.
    - C(disrupts) is whether the change affects running hosts or containers.
    - C(losses) has a sentence for each effect that loses packets, such as a smaller MTU for running containers. The
      diff also shows these sentences.
  returned: success and O(state=present)
  type: dict
  sample:
    settings: [[network, 10.5.0.0/16, 10.6.0.0/16]]
    hosts: [192.0.2.21, 192.0.2.22]
    moved: [192.0.2.21, 192.0.2.22]
    new_mtu: []
    disrupts: true
    losses: []
  version_added: 1.1.0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_config import put_config, remove_config
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.secret import secret_values


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        no_log=True,  # the log of the invocation would contain a PSK that is in backend by mistake
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            network={"type": "str"},
            subnet_len={"type": "int"},
            subnet_min={"type": "str"},
            subnet_max={"type": "str"},
            backend={"type": "dict"},
            psk={"type": "str", "no_log": True},
            force={"type": "bool", "default": False},
        ),
        required_if=[("state", "present", ("network", "backend"))],
        supports_check_mode=True,
    )
    options, check = module.params, module.check_mode
    module.no_log_values.update(secret_values(options["backend"]))
    if options["state"] == "absent":
        finish(module, lambda store, prefix: remove_config(store, prefix, options["force"], check))
    else:
        finish(module, lambda store, prefix: put_config(store, prefix, options, check))


if __name__ == "__main__":
    main()
