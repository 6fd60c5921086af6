#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read how the agent is installed on a host, whether it runs with its present files, and what the host offers it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlayd_info
short_description: Read the installed release and the service of overlayd on a host
version_added: 1.1.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the installed release of C(overlayd), the state of its systemd unit, and the files that changed after its
    start.
  - Also reads what C(overlayd) needs from the host, namely Python, the devices of the backend, IP forwarding and the
    firewall.
  - Can also be used on hosts without C(overlayd). The role P(clusternet.overlay.agent#role) uses these values.
  - M(clusternet.overlay.overlay_info) reads the results of C(overlayd), which are the lease, the kernel's tables and
    Docker's bridge.
  - Requires root, so use C(become) or C(-b).
  - To find out whether the kernel supports vxlan and O(backend), the module creates such devices in a temporary network
    namespace. The kernel may load modules for this. The network of the host is not changed.
options:
  files:
    description:
      - The files to compare with the start of C(overlayd).
      - The default is the command, the unit, the settings, the link to the release, and the TLS files in the settings.
    type: list
    elements: path
  required_files:
    description: Files that must exist. RV(missing_files) lists the files that do not exist.
    type: list
    elements: path
    default: []
  packages:
    description: Packages of Debian or Ubuntu that must be installed. RV(missing_packages) lists the missing packages.
    type: list
    elements: str
    default: []
  python:
    description: The Python interpreter for C(overlayd). Its version is returned.
    type: path
    default: /usr/bin/python3
  wireguard:
    description: Find out whether the host can have a WireGuard device. The kernel may load its module for this.
    type: bool
    default: false
    version_added: 1.1.0
  backend:
    description: The Type of the backend for RV(backend_error) and RV(backend_is_module).
    type: str
    default: vxlan
    version_added: 1.1.0
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.info
seealso:
  - module: clusternet.overlay.overlay_info
  - module: clusternet.overlay.underlay_info
"""

EXAMPLES = r"""
# ansible all -b -m clusternet.overlay.overlayd_info

- name: Read the state of the agent on this host
  clusternet.overlay.overlayd_info:
  register: agent

- name: List the hosts whose agent does not use its present files
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }}: restart overlayd; changed after its start: {{ agent.newer_files | join(', ') }}"
  when: agent.newer_files | length > 0
"""

RETURN = r"""
release:
  description: The installed release and its package; empty if C(overlayd) is not installed.
  returned: success
  type: str
  sample: release-2f60c5f8a1d44b7e/overlay
releases:
  description: The releases of C(overlayd) on the host. RV(release) is the release that the next start uses.
  returned: success
  type: list
  elements: str
  sample: [release-2f60c5f8a1d44b7e]
tools:
  description: The installed release of C(overlayctl); empty if it is not installed.
  returned: success
  type: str
  sample: tools-2f60c5f8a1d44b7e
state:
  description: The state of C(overlayd.service), C(ActiveState) of systemd.
  returned: success
  type: str
  sample: active
enabled:
  description: Whether C(overlayd.service) starts at boot, C(UnitFileState) of systemd; empty if there is no such unit.
  returned: success
  type: str
  sample: enabled
status:
  description: The status line of C(overlayd).
  returned: success
  type: str
  sample: "10.50.25.0/24: 2 peers"
runs:
  description: Whether C(overlayd.service) is active and enabled, and systemd has read its present unit file.
  returned: success
  type: bool
newer_files:
  description: The files in O(files) that changed after C(overlayd) was started. C(overlayd) uses them after a restart.
  returned: success
  type: list
  elements: str
  sample: [/etc/overlayd/overlayd.env]
missing_files:
  description: The files in O(required_files) that do not exist or are no regular files.
  returned: success
  type: list
  elements: str
missing_packages:
  description: The packages in O(packages) that are not installed; all of them if the host has no C(dpkg).
  returned: success
  type: list
  elements: str
flanneld_runs:
  description: Whether a process C(flanneld) runs on the host.
  returned: success
  type: bool
python_version:
  description: The version of O(python), as a list of numbers; empty if it cannot be executed.
  returned: success
  type: list
  elements: int
  sample: [3, 11]
python_error:
  description: Why O(python) cannot be executed; empty if it can.
  returned: success
  type: str
vxlan_error:
  description: Why the kernel cannot create a vxlan device; empty if it can.
  returned: success
  type: str
vxlan_is_module:
  description: Whether vxlan is a module of the kernel, and not built in.
  returned: success
  type: bool
tun_error:
  description: Why the kernel cannot create a TUN device, which the backend C(udp) needs; empty if it can.
  returned: success
  type: str
  version_added: 1.1.0
wireguard_error:
  description: Why the host can have no WireGuard device; empty if it can, or if O(wireguard=false).
  returned: success
  type: str
  version_added: 1.1.0
backend_error:
  description:
    - Why the kernel cannot create a device of O(backend).
    - Empty if it can, or if O(backend) is neither C(vxlan) nor C(ipip).
  returned: success
  type: str
backend_is_module:
  description: Whether the devices of O(backend), C(vxlan) or C(ipip), come from a module of the kernel.
  returned: success
  type: bool
ip_forward:
  description: Whether the kernel forwards IPv4 packets.
  returned: success
  type: bool
firewalls:
  description: The active firewalls, V(ufw) or V(firewalld), which the role opens for the fleet.
  returned: success
  type: list
  elements: str
  sample: [ufw]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlayd_info import Questions, examine
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "path"},
            "required_files": {"type": "list", "elements": "path", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "wireguard": {"type": "bool", "default": False},
            "backend": {"type": "str", "default": "vxlan"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **examine(Questions(**module.params)))
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
