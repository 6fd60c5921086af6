#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Add or remove a host's routes to the other hosts of an overlay network, without the agent."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_route
short_description: Program the routes of an overlay network on a host without the agent
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reconciles the host once, as the agent does continuously. It manages the tunnel device, the routes, neighbours and
    FDB entries of the peers, the firewall rules of the overlay, and the subnet file that
    M(clusternet.overlay.docker_opts) reads.
  - Network config, own lease and peers come from etcd. The backends are C(vxlan), C(host-gw) and C(ipip).
    The backend C(udp) is refused, because only C(overlayd) starts its data path process.
  - The host's lease must exist. It should be a reservation (M(clusternet.overlay.subnet_lease)), because a lease that
    no agent renews expires after 24 hours. The module adds to the lease the data that other hosts need, such as the MAC
    address of the tunnel device. It never creates, renews or releases a lease.
  - Routes of other programs are left untouched. Routes and firewall rules that a stopped flanneld left are adopted or
    removed.
options:
  state:
    description:
      - V(present) adds the routes, neighbours and FDB entries of the peers, and removes those of former peers.
      - V(absent) removes the routes, neighbours and FDB entries of the peers. If O(peers) is not set, it also removes
        the tunnel device, the firewall rules and O(subnet_file). The lease in etcd is kept.
    type: str
    choices: [present, absent]
    default: present
  peers:
    description:
      - The peers to reconcile, each by its subnet, such as V(10.5.7.0/24), or by the public IP of its host. Other
        peers, the firewall rules and O(subnet_file) are not changed.
      - The default is all peers.
      - With O(state=present), an empty list manages only the tunnel device of this host and the data of this device in
        the host's lease. A host can only route to peers on which this was done before.
      - If the tunnel device must be created again, or its MAC address changes, the kernel deletes the entries of all
        peers. The module then adds the entries of all peers again.
    type: list
    elements: str
  subnet:
    description:
      - The host's own subnet, such as V(10.5.7.0/24). Set it for a host with several leases.
      - If neither this option nor O(public_ip) nor O(iface) is set, the subnet in O(subnet_file) is used, if its lease
        has an address of this host.
    type: str
  public_ip:
    description:
      - The address at which other hosts reach this host, as in its lease.
      - The default is the address of the underlay interface.
    type: str
  iface:
    description:
      - The underlay interface, by name or address.
      - The default is the interface with the address O(public_ip), else the interface of the default route.
    type: str
  ip_masq:
    description:
      - Whether to masquerade packets that leave the overlay. In this case M(clusternet.overlay.docker_opts) disables
        masquerading in Docker.
    type: bool
    default: true
  forward_rules:
    description:
      - Whether to accept forwarded packets of the overlay. With V(false), Docker's policy drops them.
    type: bool
    default: true
  subnet_file:
    description:
      - The file for subnet, MTU and masquerading.
      - If the network config has changed, the module uses the previous content to remove the old state.
    type: path
    default: /run/flannel/subnet.env
  state_dir:
    description:
      - The folder of the agent's stored state. The module only reads it, to detect a running agent.
      - While C(overlayd) runs for the same O(prefix), V(absent) is refused, and V(present) only adds or changes routes,
        neighbours and FDB entries.
    type: path
    default: /var/lib/overlayd
extends_documentation_fragment:
  - clusternet.overlay.attributes
  - clusternet.overlay.attributes.etcd
  - clusternet.overlay.etcd
attributes:
  check_mode:
    support: full
    details:
      - If neither the lease nor the host has a MAC address for the tunnel device, the real run creates another one.
  diff_mode:
    support: full
    details:
      - The diff has the equivalent commands, and the lease and O(subnet_file) before and after.
  idempotent:
    support: full
notes:
  - The module needs root, so use C(become).
  - After a reboot, and after a peer was added, changed or removed, the module must run again on all hosts. To avoid
    this, use the agent, role P(clusternet.overlay.agent#role).
  - Forwarding (C(net.ipv4.ip_forward)) is checked and not enabled.
seealso:
  - module: clusternet.overlay.network_config
  - module: clusternet.overlay.subnet_lease
  - module: clusternet.overlay.docker_opts
  - module: clusternet.overlay.overlay_info
"""

EXAMPLES = r"""
- name: Connect a fleet without the agent
  hosts: overlay
  become: true
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  tasks:
    - name: Write the network config
      clusternet.overlay.network_config:
        network: 10.50.0.0/16
        backend: {Type: vxlan}
      run_once: true

    - name: Reserve a subnet for each host
      clusternet.overlay.subnet_lease:
        public_ip: "{{ ansible_facts['default_ipv4']['address'] }}"

    - name: Create the tunnel device of each host, and add it to its lease
      clusternet.overlay.overlay_route:
        peers: []

    - name: Add the routes to all other hosts
      clusternet.overlay.overlay_route:

    - name: Write the Docker options
      clusternet.overlay.docker_opts:

- name: Run single steps
  hosts: overlay
  become: true
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  tasks:
    - name: Show the missing routes
      clusternet.overlay.overlay_route:
      check_mode: true
      diff: true

    - name: Repair the routes of one peer
      clusternet.overlay.overlay_route:
        peers: ["192.0.2.12"]

    - name: Remove everything that the module created on a host
      clusternet.overlay.overlay_route:
        state: absent
"""

RETURN = r"""
api:
  description: The etcd API that was used.
  returned: success
  type: str
  sample: v3
operations:
  description: The commands that make the same changes of kernel and firewall. In check mode these changes are not made.
  returned: success
  type: list
  elements: str
  sample:
    - ip neighbour replace 10.50.8.0 lladdr 0e:1c:9a:04:7f:22 dev flannel.1 nud permanent
    - bridge fdb replace 0e:1c:9a:04:7f:22 dev flannel.1 dst 192.0.2.12 self permanent
    - ip route add 10.50.8.0/24 via 10.50.8.0 dev flannel.1 onlink proto 158
peers:
  description: The subnets that this run reconciled, without those that cannot be routed.
  returned: success
  type: list
  elements: str
  sample: [10.50.8.0/24, 10.50.9.0/24]
device:
  description: The tunnel device; empty with C(host-gw) and with O(state=absent).
  returned: success
  type: str
  sample: flannel.1
conflicts:
  description:
    - A sentence for each route that was not added because a route of another program exists for its subnet.
    - If the peer is in O(peers), the module fails.
  returned: success
  type: list
  elements: str
  sample: []
problems:
  description: A sentence for each unusable lease, and for disabled forwarding.
  returned: success
  type: list
  elements: str
  sample: []
subnet:
  description: This host's subnet.
  returned: if O(state=present)
  type: str
  sample: 10.50.7.0/24
public_ip:
  description: The address at which other hosts reach this host, from its lease.
  returned: if O(state=present)
  type: str
  sample: 192.0.2.11
underlay:
  description: The underlay interface.
  returned: if O(state=present)
  type: str
  sample: eth0
mtu:
  description: The MTU for containers in bytes.
  returned: if O(state=present)
  type: int
  sample: 1450
other_backends:
  description:
    - The subnets that are not routed because their leases have no backend, for example reservations of hosts without
      an agent. A peer with another backend or VNI than this host is routed by the backend in its lease.
  returned: if O(state=present)
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.etcd_options import argument_spec
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlay_route import clear, program, request_of
from ansible_collections.clusternet.overlay.plugins.module_utils._module.runner import finish


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            peers={"type": "list", "elements": "str"},
            subnet={"type": "str"},
            public_ip={"type": "str"},
            iface={"type": "str"},
            ip_masq={"type": "bool", "default": True},
            forward_rules={"type": "bool", "default": True},
            subnet_file={"type": "path", "default": "/run/flannel/subnet.env"},
            state_dir={"type": "path", "default": "/var/lib/overlayd"},
        ),
        supports_check_mode=True,
    )
    act = program if module.params["state"] == "present" else clear
    finish(module, lambda store, prefix: act(store, prefix, request_of(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
