#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the state of etcd on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_host_info
short_description: Read the state of etcd on a host
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads what the role P(clusternet.overlay.etcd#role) needs to know about a host, in one call.
  - It does not use the API of etcd.
  - Can also be used on a host without etcd.
options:
  data_dir:
    description:
      - The data folder of the member.
    type: path
    default: /var/lib/etcd/overlay
  bootstrap_file:
    description:
      - The settings that a member reads at its first start, as the role writes them.
    type: path
    default: /etc/etcd/bootstrap.env
  unit_file:
    description:
      - The unit file of C(etcd.service).
    type: path
    default: /etc/systemd/system/etcd.service
  files:
    description:
      - The files that etcd reads only when it starts, for RV(changed_files).
    type: list
    elements: path
    default: []
  packages:
    description:
      - Debian packages, for RV(missing_packages).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
seealso:
  - module: clusternet.overlay.etcd_health_info
  - module: clusternet.overlay.etcd_member_info
requirements:
  - Python 3.9 or later on the target
"""

EXAMPLES = r"""
- name: Read the state of etcd on this host
  clusternet.overlay.etcd_host_info:
    files: [/etc/etcd/etcd.env, /etc/systemd/system/etcd.service]
  register: etcd_host

- name: Show whether etcd needs a restart
  ansible.builtin.debug:
    msg: "etcd has not read {{ etcd_host.changed_files | join(', ') }}"
  when: etcd_host.changed_files | length > 0
"""

RETURN = r"""
has_data:
  description: Whether the data folder has the data of a member.
  returned: success
  type: bool
initial_cluster:
  description: The settings for the first start; V(null) if O(bootstrap_file) does not exist.
  returned: success
  type: dict
  contains:
    token:
      description: The value of C(ETCD_INITIAL_CLUSTER_TOKEN).
      returned: always
      type: str
      sample: overlay
    state:
      description: The value of C(ETCD_INITIAL_CLUSTER_STATE), V(new) or V(existing).
      returned: always
      type: str
      sample: existing
has_unit:
  description: Whether O(unit_file) exists.
  returned: success
  type: bool
runs:
  description: Whether C(etcd.service) is active and enabled, and systemd has read the present unit file.
  returned: success
  type: bool
started:
  description: Whether C(etcd.service) was started and has not been stopped since then.
  returned: success
  type: bool
changed_files:
  description: The O(files) that changed after C(etcd.service) was started.
  returned: success
  type: list
  elements: str
  sample: [/etc/etcd/etcd.env]
missing_packages:
  description: The O(packages) that are not installed; all of them on a host without dpkg.
  returned: success
  type: list
  elements: str
  sample: []
firewalls:
  description: The active firewall managers, V(ufw) or V(firewalld).
  returned: success
  type: list
  elements: str
  sample: [ufw]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_host_info import show


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "data_dir": {"type": "path", "default": "/var/lib/etcd/overlay"},
            "bootstrap_file": {"type": "path", "default": "/etc/etcd/bootstrap.env"},
            "unit_file": {"type": "path", "default": "/etc/systemd/system/etcd.service"},
            "files": {"type": "list", "elements": "path", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(**show(module.params))


if __name__ == "__main__":
    main()
