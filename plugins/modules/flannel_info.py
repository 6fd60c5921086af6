#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the settings of flanneld on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flannel_info
short_description: Read the settings of flanneld on a host
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the unit of flanneld, its environment files and its flags, and the drop-ins by which Docker uses its subnet.
  - It also understands the variables of Red Hat's package, such as C(FLANNEL_ETCD_ENDPOINTS) and C(FLANNEL_OPTIONS).
  - A host without flanneld is not an error. Passwords are not returned.
options:
  unit:
    description:
      - The unit of flanneld.
    type: str
    default: flanneld.service
  docker_unit:
    description:
      - The unit of Docker.
    type: str
    default: docker.service
  docker_dropin_name:
    description:
      - The name of the drop-in of this collection, which is not listed.
    type: str
    default: zz-overlay.conf
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
seealso:
  - module: clusternet.overlay.overlayd_info
requirements:
  - Python 3.9 or later on the target
"""

EXAMPLES = r"""
- name: Read the unit and the settings of flanneld
  clusternet.overlay.flannel_info:
  register: flannel
"""

RETURN = r"""
installed:
  description: Whether systemd has the unit.
  returned: success
  type: bool
active:
  description: Whether the unit is active.
  returned: success
  type: bool
enabled:
  description: Whether the unit starts at boot.
  returned: success
  type: bool
unit_file:
  description: The path of the unit file.
  returned: success
  type: str
  sample: /usr/lib/systemd/system/flanneld.service
settings:
  description:
    - The settings of flanneld with the names of its flags, with underscores, and C(has_password).
    - Empty on a host without the unit.
  returned: success
  type: dict
  sample: {etcd_endpoints: ["http://192.0.2.11:2379"], etcd_prefix: /coreos.com/network, ip_masq: true}
docker_dropins:
  description: The drop-ins of Docker's unit in C(/etc) that name flannel.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/docker.service.d/flannel.conf]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.flannel_info import show
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "default": "flanneld.service"},
            "docker_unit": {"type": "str", "default": "docker.service"},
            "docker_dropin_name": {"type": "str", "default": "zz-overlay.conf"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(
            **show(module.params["unit"], module.params["docker_unit"], module.params["docker_dropin_name"])
        )
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
