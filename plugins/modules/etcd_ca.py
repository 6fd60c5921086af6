#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Replace the CA of an etcd cluster in steps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_ca
short_description: Replace the CA of an etcd cluster in steps
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads and changes the folder of the CA that the role P(clusternet.overlay.etcd#role) created.
  - The playbook C(clusternet.overlay.rotate_certificates) uses it. Between two phases it distributes the certificates.
  - The folder keeps its phase, so an interrupted replacement continues where it stopped.
options:
  path:
    description:
      - The folder of the CA.
    type: path
    default: /etc/etcd/ca
  phase:
    description:
      - The phase to enter. Without it the module only reads.
      - V(trusting) creates the next CA. The old one signs, and C(ca.crt) has the certificates of both.
      - V(signing) makes the next CA sign, and deletes the private key of the old one. C(ca.crt) still has both.
      - V(single) removes the certificate of the old CA.
      - A phase can follow only the one before.
    type: str
    choices: [single, trusting, signing]
  name:
    description:
      - The name of the next CA. The time of its creation is added.
    type: str
    default: overlay etcd CA
  days:
    description:
      - The lifetime of the next CA in days.
    type: int
    default: 3650
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows only the old and the new phase.
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.etcd_host_info
requirements:
  - Python 3.9 or later and openssl on the target
"""

EXAMPLES = r"""
- name: Read when the CA expires
  clusternet.overlay.etcd_ca:
  register: etcd_ca

- name: Create the next CA, and trust both
  clusternet.overlay.etcd_ca:
    phase: trusting
  when: etcd_ca.days_left < 365
"""

RETURN = r"""
phase:
  description: The phase of the CA.
  returned: success
  type: str
  sample: single
trusted:
  description: The number of CA certificates that the hosts must trust.
  returned: success
  type: int
  sample: 1
not_after:
  description: When the certificate of the CA that signs expires.
  returned: success
  type: str
  sample: "2036-11-26T17:00:00Z"
days_left:
  description: The days until then.
  returned: success
  type: int
  sample: 3649
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_ca import PHASES, run
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/etcd/ca"},
            "phase": {"type": "str", "choices": list(PHASES)},
            "name": {"type": "str", "default": "overlay etcd CA"},
            "days": {"type": "int", "default": 3650},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
