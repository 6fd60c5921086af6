#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the range of an overlay network with the host's own networks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network_overlap_info
short_description: Compare the range of an overlay network with the host's own networks
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the addresses and routes of the host from its kernel. Returns a sentence for each address or route whose
    traffic an overlay network with this range would redirect.
  - The agent C(overlayd) applies the same rule and refuses to join such a network. This module can check it before the
    agent is installed.
  - A less specific route, such as V(10.0.0.0/8) through a VPN, is no problem. The devices and routes of the overlay and
    of C(flanneld) are no problem either.
  - O(prefix) also selects the agent's stored state of a former network.
options:
  network:
    description:
      - The address range of the overlay network, such as V(10.5.0.0/16).
      - Without it the module reads the network config from etcd.
      - O(subnet_len), O(subnet_min) and O(subnet_max) need this option.
    type: str
  subnet_len:
    description:
      - The prefix length of each host's subnet.
    type: int
  subnet_min:
    description:
      - The address of the first subnet that may be leased.
    type: str
  subnet_max:
    description:
      - The address of the last subnet that may be leased.
    type: str
  iface:
    description:
      - Names or addresses of the underlay interface. The default is the interface of the default route.
    type: list
    elements: str
    default: []
  iface_regex:
    description:
      - Regular expressions for the underlay interface, matched with addresses first, then with names.
    type: list
    elements: str
    default: []
  iface_can_reach:
    description:
      - An address that is reached through the underlay interface.
    type: str
    default: ""
  etcd_addresses:
    description:
      - The addresses of etcd, which must not be inside the overlay network. Host names are ignored.
    type: list
    elements: str
    default: []
  subnet_file:
    description:
      - The file to which C(overlayd) or C(flanneld) writes the subnet of this host.
    type: path
    default: /run/flannel/subnet.env
  state_dir:
    description:
      - The folder of the agent's stored state.
    type: path
    default: /var/lib/overlayd
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.network_config
"""

EXAMPLES = r"""
- name: Compare the network config in etcd with the networks of the host
  clusternet.overlay.network_overlap_info:
  become: true

- name: Compare an overlay network with the networks of the host
  clusternet.overlay.network_overlap_info:
    network: 10.5.0.0/16
  register: overlap

- name: Fail if the network overlaps a network of the host
  ansible.builtin.assert:
    that: overlap.problems == [] or overlap.member
    fail_msg: "{{ overlap.problems | join('; ') }}"
"""

RETURN = r"""
problems:
  description:
    - A sentence for each overlap that redirects traffic. It contains the names of the roles' variables.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      overlay_network 192.168.100.128/25, subnets from 192.168.100.144/28 to 192.168.100.240/28: overlaps the connected
      network 192.168.100.0/24 dev eth0, which the overlay would divert on this host; choose another overlay_network
member:
  description: Whether the host is already part of this network. The agent then reports an overlap and continues.
  returned: success
  type: bool
  sample: false
agent_prefix:
  description: The etcd prefix in the settings of the agent on this host, empty without an agent.
  returned: success
  type: str
  sample: /coreos.com/network
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.network_overlap_info import show
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            network={"type": "str"},
            subnet_len={"type": "int"},
            subnet_min={"type": "str"},
            subnet_max={"type": "str"},
            iface={"type": "list", "elements": "str", "default": []},
            iface_regex={"type": "list", "elements": "str", "default": []},
            iface_can_reach={"type": "str", "default": ""},
            etcd_addresses={"type": "list", "elements": "str", "default": []},
            subnet_file={"type": "path", "default": "/run/flannel/subnet.env"},
            state_dir={"type": "path", "default": "/var/lib/overlayd"},
        ),
        required_by=dict.fromkeys(("subnet_len", "subnet_min", "subnet_max"), "network"),
        supports_check_mode=True,
    )
    try:
        module.exit_json(**show(module))
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
