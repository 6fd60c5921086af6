#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start or remove a container that answers probes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_container
short_description: Manage a small container for tests of the overlay
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Starts or removes one container with a web server on a host's default bridge, or in a user-defined network.
  - M(clusternet.overlay.probe_info) then sends packets between such containers of different hosts.
options:
  state:
    description: Whether the container should exist.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the container.
    type: str
    default: overlay-probe
  image:
    description:
      - Image of the container. It must have C(httpd) of busybox.
      - If the host does not have the image, O(archive) is loaded. Without O(archive), Docker pulls the image.
      - If neither O(image) nor O(archive) is set, no registry is needed. The module imports an empty image
        (C(docker import)), mounts the host's C(/usr) and C(/lib*) read-only, and runs a web server with the Python that
        runs this module. The image is removed together with the container.
      - Before version 1.1.0 the default was C(busybox:stable). With O(archive) it still is.
    type: str
  network:
    description:
      - Name of a user-defined bridge network for the container, instead of the default bridge. It is created if it does
        not exist, and removed together with the container.
    type: str
    version_added: 1.1.0
  network_mtu:
    description: MTU of O(network) in bytes.
    type: int
    default: 1500
    version_added: 1.1.0
  archive:
    description: Path on the target of an image archive (C(docker save)), to load if the host does not have the image.
    type: path
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.probe_info
"""

EXAMPLES = r"""
- name: Start the probe container
  clusternet.overlay.probe_container:

- name: Start the probe container from an image of a registry
  clusternet.overlay.probe_container:
    image: busybox:stable

- name: Remove the probe container
  clusternet.overlay.probe_container:
    state: absent
"""

RETURN = r"""
address:
  description: The container's address on the default bridge or in O(network); empty if there is no container.
  returned: success
  type: str
  sample: 10.50.7.2
process:
  description: The process ID of the container's first process on the host; 0 if there is no container.
  returned: success
  type: int
  sample: 4711
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.probe_container import ProbeContainer


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "default": "overlay-probe"},
            "image": {"type": "str"},
            "network": {"type": "str"},
            "network_mtu": {"type": "int", "default": 1500},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    container = ProbeContainer(module)
    changed = container.ensure() if module.params["state"] == "present" else container.remove()
    module.exit_json(changed=changed, **container.facts())


if __name__ == "__main__":
    main()
