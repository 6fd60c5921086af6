#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare what a host holds with what etcd says it should."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_info
short_description: Compare what a host of the overlay holds with what it should
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the subnet file, Docker's bridge, the kernel's routes, neighbours and forwarding rows, and the leases in etcd,
    and says in a sentence each where they do not agree.
  - Works whether or not the overlay agent runs.
options:
  subnet_file:
    description: The subnet file that the agent writes.
    type: path
    default: /run/flannel/subnet.env
  bridge:
    description: Docker's default bridge.
    type: str
    default: docker0
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.overlay_route
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
# Ad hoc, on hosts of the overlay:
#   ansible all --become -m clusternet.overlay.overlay_info

- name: Look at this host
  clusternet.overlay.overlay_info:
  register: host

- name: Stop where something is wrong
  ansible.builtin.assert:
    that: host.problems | length == 0
"""

RETURN = r"""
network:
  description: The overlay network, as the subnet file has it.
  returned: success
  type: str
  sample: 10.50.0.0/16
subnet:
  description: This host's subnet.
  returned: success
  type: str
  sample: 10.50.7.0/24
public_ip:
  description: The address other hosts reach this one by, as its lease says.
  returned: success
  type: str
  sample: 192.0.2.21
backend:
  description: The backend this host uses, as its lease says.
  returned: success
  type: str
  sample: vxlan
mtu:
  description: The MTU for containers in bytes, as the subnet file has it.
  returned: success
  type: int
  sample: 1450
underlay:
  description: The interface that carries the overlay.
  returned: success
  type: str
  sample: eth0
bridge_address:
  description: What addresses Docker's bridge has.
  returned: success
  type: str
  sample: 10.50.7.1/24
peers_expected:
  description: How many other hosts this one should route to.
  returned: success
  type: int
  sample: 2
peers_programmed:
  description: How many of them the kernel holds all rows for.
  returned: success
  type: int
  sample: 2
pending:
  description: The commands that would make the kernel hold what it should.
  returned: success
  type: list
  elements: str
  sample: []
problems:
  description: A sentence for each thing that is not as it should be.
  returned: success
  type: list
  elements: str
  sample: []
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd import argument_spec, finish
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.verify.host import inspect_host


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            subnet_file={"type": "path", "default": "/run/flannel/subnet.env"},
            bridge={"type": "str", "default": "docker0"},
        ),
        supports_check_mode=True,
    )
    given = module.params
    finish(
        module,
        lambda store, prefix: {
            "changed": False,
            **asdict(inspect_host(store, prefix, given["subnet_file"], given["bridge"])),
        },
    )


if __name__ == "__main__":
    main()
