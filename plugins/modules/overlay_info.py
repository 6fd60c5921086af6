#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the state of the overlay on a host, and compare it with etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_info
short_description: Verify the state of a host of the overlay
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the state of the agent's systemd unit, the subnet file, Docker's bridge, the kernel's routes, neighbours and
    FDB entries, and the leases in etcd. Returns a sentence for each difference from the expected state.
  - Problems are, for example, an agent that is stopped, disabled or crash-looping, a lease that is not renewed, an etcd
    that cannot be reached, and a pending restart of Docker. The module succeeds in these cases, and returns what it
    could read.
options:
  subnet_file:
    description: The subnet file that the agent writes.
    type: path
    default: /run/flannel/subnet.env
  bridge:
    description: Docker's default bridge.
    type: str
    default: docker0
  agent_unit:
    description:
      - The systemd unit that runs the overlay agent.
      - V(auto) is C(overlayd.service) or C(flanneld.service), whichever runs, is enabled or is installed.
      - V(none) checks no unit. Use it for a host without an agent (M(clusternet.overlay.overlay_route)), or with an
        agent that is not a systemd unit.
    type: str
    default: auto
    version_added: 1.1.0
  renew_margin:
    description: How many minutes before its expiry the agent renews the lease.
    type: int
    default: 60
    version_added: 1.1.0
  docker_unit:
    description: The systemd unit of C(dockerd).
    type: str
    default: docker.service
    version_added: 1.1.0
  ip_masq:
    description: Whether to check that Docker masquerades only if the agent does not.
    type: bool
    default: true
    version_added: 1.1.0
  user_networks:
    description:
      - The division of the host's subnet, as in M(clusternet.overlay.docker_opts). If it is set, the user-defined
        networks of Docker are checked, too.
    type: dict
    version_added: 1.1.0
    suboptions:
      bridge_len:
        description: Prefix length of the part for C(docker0).
        type: int
        required: true
      network_len:
        description: Prefix length of each user-defined network.
        type: int
        required: true
  wait:
    description:
      - Seconds to wait until the host has no problem, apart from a pending restart of Docker. Agents need a moment to
        use a changed network config.
    type: float
    default: 0
    version_added: 1.1.0
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

- name: Read the state of this host
  clusternet.overlay.overlay_info:
  register: host

- name: Fail if the host has a problem
  ansible.builtin.assert:
    that: host.problems | length == 0
"""

RETURN = r"""
network:
  description: The overlay network, from the subnet file.
  returned: success
  type: str
  sample: 10.50.0.0/16
subnet:
  description: This host's subnet.
  returned: success
  type: str
  sample: 10.50.7.0/24
public_ip:
  description: The address at which other hosts reach this host, from its lease.
  returned: success
  type: str
  sample: 192.0.2.21
backend:
  description: The backend of this host, from its lease.
  returned: success
  type: str
  sample: vxlan
mtu:
  description: The MTU for containers in bytes, from the subnet file.
  returned: success
  type: int
  sample: 1450
underlay:
  description: The interface that carries the overlay.
  returned: success
  type: str
  sample: eth0
bridge_address:
  description: The addresses of Docker's bridge.
  returned: success
  type: str
  sample: 10.50.7.1/24
service:
  description: The agent's systemd unit, from C(systemctl show); empty with O(agent_unit=none).
  returned: success
  type: dict
  sample:
    unit: overlayd.service
    load: loaded
    state: active
    sub_state: running
    enabled: enabled
    restarts: 0
    result: success
    exit_status: 0
    status: subnet 10.50.7.0/24, 2 peers
    active_seconds: 86400.1
    last_line: ""
    crash_looping: false
  version_added: 1.1.0
lease_ttl:
  description: The seconds until this host's lease expires if it is not renewed; V(null) for no lease or a reservation.
  returned: success
  type: int
  sample: 85731
  version_added: 1.1.0
reservation:
  description: Whether this host's subnet is a reservation, so that its lease never expires.
  returned: success
  type: bool
  sample: false
  version_added: 1.1.0
docker_state:
  description: The state of O(docker_unit), empty if systemd has no such unit.
  returned: success
  type: str
  sample: active
  version_added: 1.1.0
restart_required:
  description: Whether Docker must be restarted to use the subnet file.
  returned: success
  type: bool
  sample: false
  version_added: 1.1.0
restart_reasons:
  description: The reasons for the restart.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 1.1.0
restart_problems:
  description: The RV(problems) that a restart of Docker solves.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 1.1.0
user_networks:
  description:
    - The user-defined bridge networks of Docker; empty without O(user_networks).
  returned: success
  type: list
  elements: dict
  sample: [{name: shop_default, subnet: 10.50.7.128/28, mtu: 1450, internal: false}]
  version_added: 1.1.0
user_networks_free:
  description: How many more user-defined networks the host's subnet has room for; 0 without O(user_networks).
  returned: success
  type: int
  sample: 7
  version_added: 1.1.0
network_notes:
  description:
    - A text for each user-defined network that other hosts cannot reach, or that has a larger MTU than the overlay, and
      one if there is no room for another network. These are no RV(problems), because containers may use such a network
      on purpose.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 1.1.0
etcd_problems:
  description:
    - A text for each etcd endpoint that does not answer this host although another endpoint answers.
    - These texts are not in RV(problems), because the overlay works as long as a quorum of the members runs.
  returned: success
  type: list
  elements: str
  sample: ["http://192.0.2.12:2379: connection refused"]
  version_added: 1.1.0
certificate_warnings:
  description:
    - A text for each certificate of this host or of an etcd endpoint that expires within 30 days.
    - These texts are not in RV(problems), because the connections to etcd work until then.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 1.1.0
peers_expected:
  description: The number of other hosts that this host should have routes to.
  returned: success
  type: int
  sample: 2
peers_programmed:
  description: The number of those hosts with all routes, neighbours and FDB entries in the kernel.
  returned: success
  type: int
  sample: 2
pending:
  description: The commands that would correct the kernel state.
  returned: success
  type: list
  elements: str
  sample: []
problems:
  description: A sentence for each problem. The problems of the agent's unit come first.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_info import look


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            subnet_file={"type": "path", "default": "/run/flannel/subnet.env"},
            bridge={"type": "str", "default": "docker0"},
            agent_unit={"type": "str", "default": "auto"},
            renew_margin={"type": "int", "default": 60},
            docker_unit={"type": "str", "default": "docker.service"},
            ip_masq={"type": "bool", "default": True},
            user_networks={
                "type": "dict",
                "options": {
                    "bridge_len": {"type": "int", "required": True},
                    "network_len": {"type": "int", "required": True},
                },
            },
            wait={"type": "float", "default": 0.0},
        ),
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **look(module))


if __name__ == "__main__":
    main()
