#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send test packets from a container to containers of other hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_info
short_description: Send real packets from a container to containers of other hosts
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Sends packets from the network namespace of a container that M(clusternet.overlay.probe_container) started.
  - The tests of each peer are a ping, a ping with exactly the overlay's MTU that must pass unfragmented, a ping that is
    one byte larger and must be rejected, and the download of a file over TCP.
  - The container needs no programs for this. The module changes nothing.
options:
  process:
    description: The process ID, on this host, of the container that sends the packets.
    type: int
    required: true
  peers:
    description: Addresses of the containers that receive the packets.
    type: list
    elements: str
    required: true
  mtu:
    description: The MTU that containers should have, in bytes.
    type: int
    required: true
  timeout:
    description: Seconds to wait for each response.
    type: float
    default: 5
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
seealso:
  - module: clusternet.overlay.probe_container
"""

EXAMPLES = r"""
- name: Send packets to the containers of the other hosts
  clusternet.overlay.probe_info:
    process: 4711
    peers: [10.50.8.2, 10.50.9.2]
    mtu: 1450
"""

RETURN = r"""
peers:
  description: The results of each peer, by address.
  returned: success
  type: dict
  sample:
    10.50.8.2:
      milliseconds: 0.14
      full_size: true
      oversize_refused: true
      tcp_bytes: 765528
      problems: []
problems:
  description: A sentence for each failed test; empty if all tests of all peers passed.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.probe_container import PORT
from ansible_collections.clusternet.overlay.plugins.module_utils._verify.packets import enter_network, probe_peer
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "process": {"type": "int", "required": True},
            "peers": {"type": "list", "elements": "str", "required": True},
            "mtu": {"type": "int", "required": True},
            "timeout": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        enter_network(given["process"])
    except OverlayError as error:
        module.fail_json(msg=str(error))
    results = {
        peer: probe_peer(peer, given["mtu"], PORT, "/busybox", given["timeout"])._asdict() for peer in given["peers"]
    }
    module.exit_json(
        changed=False, peers=results, problems=[text for result in results.values() for text in result["problems"]]
    )


if __name__ == "__main__":
    main()
