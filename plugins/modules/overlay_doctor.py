#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Name what is wrong with a host of the overlay, the cause first."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_doctor
short_description: Name what is wrong with a host of the overlay, the cause first
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Gathers facts about etcd, the agent, the lease, the kernel, the firewall, Docker and the paths to other hosts, and
    judges them. The checks are those of the command C(overlayctl doctor) on the host.
  - The findings are in such an order that the first one is the cause. A finding that may be a symptom of an earlier one
    is only a note.
  - The module needs root. It changes nothing, and succeeds also if the host has problems.
options:
  subnet_file:
    description: The subnet file that the agent writes. The default is the one in the agent's settings.
    type: path
  bridge:
    description: Docker's default bridge.
    type: str
    default: docker0
  agent_unit:
    description:
      - The systemd unit that runs the overlay agent.
      - V(auto) uses the one of C(overlayd.service) and C(flanneld.service) that runs, is enabled or is installed.
      - V(none) checks no unit.
    type: str
    default: auto
  renew_margin:
    description:
      - Minutes before its expiry at which the agent renews the lease. The default is the one in the agent's settings.
    type: int
  docker_unit:
    description: The systemd unit of C(dockerd).
    type: str
    default: docker.service
  ip_masq:
    description: Whether Docker must masquerade if the agent does not, and must not masquerade if the agent does.
    type: bool
    default: true
  peers:
    description: To how many other hosts packets are sent; V(0) sends none.
    type: int
    default: 10
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
seealso:
  - module: clusternet.overlay.overlay_info
"""

EXAMPLES = r"""
# Ad hoc, on hosts of the overlay:
#   ansible all --become -m clusternet.overlay.overlay_doctor

- name: Examine this host
  clusternet.overlay.overlay_doctor:
  register: doctor

- name: Fail with the cause if this host has a problem
  ansible.builtin.assert:
    that: doctor.sound
    fail_msg: "{{ doctor.first }}"
"""

RETURN = r"""
sound:
  description: Whether no finding is more than a note.
  returned: success
  type: bool
first:
  description: The first finding in one line, with its cause and its cure; empty if the host is sound.
  returned: success
  type: str
  sample: "agent-stopped: overlayd.service is stopped; cause: somebody stopped it; cure: systemctl start overlayd"
findings:
  description: All findings, the cause first and the notes last.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The stable name of the finding.
      type: str
      sample: agent-stopped
    severity:
      description: V(error), V(warning) or V(note).
      type: str
      sample: error
    text:
      description: The finding in one sentence.
      type: str
      sample: overlayd.service is stopped
    cause:
      description: Its cause, as far as it can be known.
      type: str
      sample: somebody stopped it
    cure:
      description: A command, or a variable and the playbook that uses it.
      type: str
      sample: systemctl start overlayd.service
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_doctor import examine
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            subnet_file={"type": "path"},
            bridge={"type": "str", "default": "docker0"},
            agent_unit={"type": "str", "default": "auto"},
            renew_margin={"type": "int"},
            docker_unit={"type": "str", "default": "docker.service"},
            ip_masq={"type": "bool", "default": True},
            peers={"type": "int", "default": 10},
        ),
        supports_check_mode=True,
    )
    try:
        result = examine(module)
    except OverlayError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
