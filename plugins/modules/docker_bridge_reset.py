#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Delete the address of Docker's bridge from its database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_bridge_reset
short_description: Let Docker choose the address of its bridge again
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Docker stores the address of its bridge in a database, and creates C(docker0) with this address again. This module
    starts Docker once without a bridge, which deletes the stored address, and stops it again.
  - That start uses an empty data folder with a link to the database of the networks, so that containers with a restart
    policy do not start. User-defined networks are kept.
  - Docker must be stopped before. The module leaves it stopped.
  - The temporary data folder and the temporary drop-in of the unit are removed, also after a failure.
options:
  unit:
    description: Name of Docker's systemd unit.
    type: str
    default: docker.service
  unit_command:
    description: The start command of the unit. The module M(clusternet.overlay.docker_opts) returns it.
    type: str
    required: true
  daemon_file:
    description: Path of dockerd's configuration file. The file may be missing.
    type: path
    default: /etc/docker/daemon.json
  data_root:
    description: The folder of Docker's data.
    type: path
    default: /var/lib/docker
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The change is in a binary database.
  idempotent:
    support: none
    details:
      - Each execution starts and stops Docker.
seealso:
  - module: clusternet.overlay.docker_opts
"""

EXAMPLES = r"""
- name: Remove the options of dockerd
  clusternet.overlay.docker_opts:
    state: absent
  register: options

- name: Stop Docker
  ansible.builtin.systemd_service:
    name: "{{ item }}"
    state: stopped
  loop: [docker.socket, docker.service]

- name: Reset the address of Docker's bridge
  clusternet.overlay.docker_bridge_reset:
    unit_command: "{{ options.unit_command }}"
"""

RETURN = r"""#"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.docker_bridge_reset import run
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "default": "docker.service"},
            "unit_command": {"type": "str", "required": True},
            "daemon_file": {"type": "path", "default": "/etc/docker/daemon.json"},
            "data_root": {"type": "path", "default": "/var/lib/docker"},
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except OverlayError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
