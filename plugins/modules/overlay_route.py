#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a host of an overlay network route to the others, without the agent."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_route
short_description: Make a host of an overlay network route to the others, without the agent
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Gives the host what the agent would give it, once instead of continuously. These are the tunnel device, the routes,
    neighbours and forwarding rows of its peers, the firewall rules of the overlay, and the subnet file that
    M(clusternet.overlay.docker_opts) reads.
  - Network config, own lease and peers come from etcd. The C(vxlan) and C(host-gw) backends are known.
  - The host's lease must be there. It should be a reservation (M(clusternet.overlay.subnet_lease)), as a lease that no
    agent renews ends after 24 hours. This module completes it with what other hosts need to know of this one, such as
    the MAC address of its tunnel device. It never makes, renews or releases a lease.
  - Routes of others are never touched. Routes and firewall rules that a stopped flanneld left are adopted or removed.
options:
  state:
    description:
      - With V(present) the kernel holds what the peers need, and what is left of peers that are gone is removed.
      - With V(absent) it holds nothing for the peers. If O(peers) is not given, the tunnel device, the firewall rules
        and O(subnet_file) are removed too. The lease in etcd stays.
    type: str
    choices: [present, absent]
    default: present
  peers:
    description:
      - The peers to act on, each by its subnet, such as V(10.5.7.0/24), or by the public IP of its host. Nothing of
        other peers is added or removed, and firewall rules and O(subnet_file) are left alone.
      - If this is not given, it is all there are.
      - An empty list with O(state=present) is the host's own part, its tunnel device and what its lease says of it. A
        host can only route to those that have done this before.
      - If the tunnel device has to be made anew, or gets another MAC address, the kernel drops the rows of all peers.
        They are all made again then.
    type: list
    elements: str
  subnet:
    description:
      - The host's own subnet, such as V(10.5.7.0/24), for a host with several leases.
      - If neither this nor O(public_ip) nor O(iface) is given, it is the one that O(subnet_file) names, provided that
        its lease has an address of this host.
    type: str
  public_ip:
    description:
      - The address that other hosts reach this one by, as it stands in its lease.
      - If this is not given, it is the address of the interface below the overlay.
    type: str
  iface:
    description:
      - The interface below the overlay, by name or address.
      - If this is not given, it is the one that holds O(public_ip), else that of the default route.
    type: str
  ip_masq:
    description:
      - Whether to masquerade what leaves the overlay for other networks. Docker is told not to in this case.
    type: bool
    default: true
  forward_rules:
    description:
      - Whether to accept forwarded packets of the overlay, which Docker has the kernel drop otherwise.
    type: bool
    default: true
  subnet_file:
    description:
      - The file to write subnet, MTU and masquerading to.
      - What it said before tells the module what to clean up when the network config has changed since.
    type: path
    default: /run/flannel/subnet.env
  state_dir:
    description:
      - Where the agent on this host keeps its state, to find out whether it runs. Nothing is written there.
      - While C(overlayd) runs for the same O(prefix), V(absent) is refused, and V(present) makes no more than the rows.
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
      - A tunnel device that neither the lease nor the host has a MAC address for will get another one in the real run.
  diff_mode:
    support: full
    details:
      - The commands that a person would type, and the lease and O(subnet_file) before and after.
  idempotent:
    support: full
notes:
  - Must run as root, so use C(become).
  - Nothing of this outlasts a reboot, and nobody sees new, moved or lost peers until the module runs again on all
    hosts. Where that matters run the agent, role P(clusternet.overlay.agent#role).
  - Forwarding (C(net.ipv4.ip_forward)) is checked and not switched on.
seealso:
  - module: clusternet.overlay.network_config
  - module: clusternet.overlay.subnet_lease
  - module: clusternet.overlay.docker_opts
  - module: clusternet.overlay.overlay_info
"""

EXAMPLES = r"""
- name: A fleet without the agent
  hosts: overlay
  become: true
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  tasks:
    - name: Describe the network
      clusternet.overlay.network_config:
        network: 10.50.0.0/16
        backend: {Type: vxlan}
      run_once: true

    - name: Reserve a subnet for each host
      clusternet.overlay.subnet_lease:
        public_ip: "{{ ansible_facts['default_ipv4']['address'] }}"

    - name: Let each host make its tunnel device, and tell the others of it
      clusternet.overlay.overlay_route:
        peers: []

    - name: Let each host route to all others
      clusternet.overlay.overlay_route:

    - name: Tell Docker its subnet and MTU
      clusternet.overlay.docker_opts:

- name: Single steps
  hosts: overlay
  become: true
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: ["http://192.0.2.11:2379"]
  tasks:
    - name: Show what a host lacks
      clusternet.overlay.overlay_route:
      check_mode: true
      diff: true

    - name: Mend the way to one peer
      clusternet.overlay.overlay_route:
        peers: ["192.0.2.12"]

    - name: Remove all that the module made on a host
      clusternet.overlay.overlay_route:
        state: absent
"""

RETURN = r"""
api:
  description: The etcd API that was spoken.
  returned: success
  type: str
  sample: v3
operations:
  description: The commands that a person would have typed for what was, or would be, changed in kernel and firewall.
  returned: success
  type: list
  elements: str
  sample:
    - ip neighbour replace 10.50.8.0 lladdr 0e:1c:9a:04:7f:22 dev flannel.1 nud permanent
    - bridge fdb replace 0e:1c:9a:04:7f:22 dev flannel.1 dst 192.0.2.12 self permanent
    - ip route add 10.50.8.0/24 via 10.50.8.0 dev flannel.1 onlink proto 158
peers:
  description: The subnets that this run was about, those that cannot be routed to left out.
  returned: success
  type: list
  elements: str
  sample: [10.50.8.0/24, 10.50.9.0/24]
device:
  description: The tunnel device, empty with C(host-gw) and O(state=absent).
  returned: success
  type: str
  sample: flannel.1
conflicts:
  description:
    - A sentence for each route that was not made, as somebody else's is in its place.
    - It is an error if O(peers) names the peer.
  returned: success
  type: list
  elements: str
  sample: []
problems:
  description: A sentence for each lease that cannot be used, and for forwarding that is off.
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
  description: The address that other hosts reach this one by, as its lease says.
  returned: if O(state=present)
  type: str
  sample: 192.0.2.11
underlay:
  description: The interface below the overlay.
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
    - The subnets whose leases name another backend or VNI, or none as their hosts have not told it yet. They are not
      routed to.
  returned: if O(state=present)
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._etcd import argument_spec, finish
from ansible_collections.clusternet.overlay.plugins.module_utils._overlay_route import clear, program, request_of


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
