#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the underlay interface of a host, and check that it reaches the other hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: underlay_info
short_description: Find the underlay interface of the overlay
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Selects the interface exactly as C(overlayd) does with the same options, and checks that it reaches the other hosts.
  - Changes nothing, and can be used before C(overlayd) is installed. It sends an empty UDP datagram to port 9 of each
    host in O(peers).
options:
  iface:
    description: Names or addresses of interfaces. The first one that the host has is selected.
    type: list
    elements: str
    default: []
  iface_regex:
    description: Regular expressions that are used after O(iface), matched with addresses first, then with names.
    type: list
    elements: str
    default: []
  iface_can_reach:
    description: Select the interface of the route to this address.
    type: str
    default: ""
  public_ip:
    description: The address at which other hosts reach this host, if it is not the address of the interface.
    type: str
    default: ""
  peers:
    description: The public addresses of other hosts. The host must reach them through the interface.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
seealso:
  - module: clusternet.overlay.overlay_info
"""

EXAMPLES = r"""
- name: Find the interface that overlayd would select
  clusternet.overlay.underlay_info:
    iface: [eth1]
    peers: [192.0.2.12, 192.0.2.13]
  register: underlay

- name: Fail if the interface is unsuitable
  ansible.builtin.assert:
    that: underlay.problems | length == 0
"""

RETURN = r"""
interface:
  description: The name of the interface; empty if none can be selected.
  returned: success
  type: str
  sample: eth1
address:
  description: The address of that interface which is the source of the overlay's packets.
  returned: success
  type: str
  sample: 192.0.2.11
public_ip:
  description: The address at which other hosts reach this host.
  returned: success
  type: str
  sample: 192.0.2.11
mtu:
  description: The MTU of the interface in bytes.
  returned: success
  type: int
  sample: 1500
problems:
  description: A sentence for each problem. If no interface can be selected, it lists the interfaces of the host.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.underlay import Choice, examine


def main() -> None:
    """Run the module."""
    names: dict[str, object] = {"type": "list", "elements": "str", "default": []}
    text: dict[str, object] = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "iface": names,
            "iface_regex": names,
            "iface_can_reach": text,
            "public_ip": text,
            "peers": names,
        },
        supports_check_mode=True,
    )
    given = module.params
    choice = Choice(given["iface"], given["iface_regex"], given["iface_can_reach"], given["public_ip"])
    module.exit_json(changed=False, **examine(choice, given["peers"]))


if __name__ == "__main__":
    main()
