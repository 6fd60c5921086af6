#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Set Docker's options to this host's subnet of the overlay network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_opts
short_description: Configure Docker for this host's subnet of the overlay network
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the subnet file that C(overlayd) (or C(flanneld)) writes, and sets the options C(--bip), C(--mtu) and
    C(--ip-masq) of C(dockerd), so that Docker's default bridge C(docker0) has this host's subnet.
  - The module never restarts Docker. RV(restart_required) reports whether a restart is needed. It compares the options
    with the running C(dockerd) and with C(docker0), so a postponed restart is reported again by the next run.
  - Other options of C(dockerd) are kept. C(dockerd) does not start with an option that is set twice. If another file
    sets one of these options, the module fails, names the file, and changes nothing.
options:
  state:
    description:
      - V(present) writes the options for the subnet in O(subnet_file).
      - V(absent) removes the files or keys of O(target). To restore Docker's own bridge, stop Docker, delete C(docker0)
        and start Docker. Docker stores the address of C(docker0). To make it choose a new address, start it once with
        C(--bridge=none) in between, as the role P(clusternet.overlay.docker#role) does.
    type: str
    choices: [present, absent]
    default: present
  target:
    description:
      - V(options_file) writes only the file O(path), as C(mk-docker-opts) does. Your own unit must read it. If the
        subnet file is missing, the module succeeds and returns no options.
      - V(dropin) also writes a drop-in for O(unit). The drop-in starts C(dockerd) with the arguments of the unit and of
        its other drop-ins, followed by C($DOCKER_OPTS). Docker starts after O(agent_unit), and each start writes the
        options file again from the subnet file, because C(/run) is empty after a boot and the subnet may have changed.
        Without a subnet file Docker does not start; systemd retries every two seconds.
      - V(daemon_json) writes the options to O(daemon_file), and removes the drop-in of this module. After a change of
        the subnet, run the module again to update that file.
      - To change from V(daemon_json) to V(dropin), first use O(state=absent) with V(daemon_json).
    type: str
    choices: [options_file, dropin, daemon_json]
    default: options_file
  subnet_file:
    description: The subnet file. (Option C(-f) of C(mk-docker-opts).)
    type: path
    default: /run/flannel/subnet.env
  subnet_timeout:
    description:
      - Seconds to wait for O(subnet_file), for example if the agent has just been started.
      - In check mode the module does not wait.
    type: int
    default: 0
  path:
    description: The options file. (Option C(-d).)
    type: path
    default: /run/docker_opts.env
  mode:
    description:
      - The variables in the options file. V(individual) writes one variable for each option (C(-i) of
        C(mk-docker-opts)), V(combined) one variable with all options (C(-c)), V(both) both kinds.
      - V(individual) cannot be used with O(target=dropin).
    type: str
    choices: [both, individual, combined]
    default: both
  key:
    description:
      - The variable with all options. (Option C(-k).)
      - Its existing value is kept, before the new options. With O(target=dropin) the existing value is that in the
        environment of the unit, for example from C(/etc/default/docker), otherwise that in the environment of the task.
    type: str
    default: DOCKER_OPTS
  ip_masq:
    description:
      - Whether to set C(--ip-masq) to the inverse of C(FLANNEL_IPMASQ), so that Docker masquerades only if the agent
        does not. (V(false) is option C(-m) of C(mk-docker-opts).)
      - With V(false) Docker masquerades, and other hosts may see the address of this host instead of the container's.
    type: bool
    default: true
  unit:
    description: The systemd unit of C(dockerd).
    type: str
    default: docker.service
  unit_dir:
    description: The folder of systemd units in which the drop-in is created.
    type: path
    default: /etc/systemd/system
  dropin_name:
    description:
      - The name of the drop-in. It must sort after the other drop-ins that set C(ExecStart), such as the
        C(override.conf) of C(systemctl edit).
    type: str
    default: zz-overlay.conf
  agent_unit:
    description: The unit that writes the subnet file. Docker is started after it.
    type: str
    default: overlayd.service
  daemon_file:
    description:
      - The configuration file of C(dockerd). It is always checked for options that are set twice. It is changed only
        with O(target=daemon_json); Docker 23.0 and later then validate it (C(dockerd --validate)).
      - O(state=absent) with O(target=daemon_json) removes the keys C(bip), C(mtu), C(ip-masq) and
        C(allow-direct-routing), those that O(user_networks) added, and the file if it has no other keys.
    type: path
    default: /etc/docker/daemon.json
  allow_direct_routing:
    description:
      - Docker 28.0 and later drop packets from other hosts to the addresses of containers. The option
        C(--allow-direct-routing) of Docker 28.2 and later permits them.
      - V(auto) sets the option if Docker has it. V(always) is an error with an older Docker. V(never) does not set it.
      - A value that is set elsewhere is kept. This option has no effect with O(target=options_file).
    type: str
    choices: [auto, always, never]
    default: auto
  user_networks:
    description:
      - Divides the subnet of this host between C(docker0) and the user-defined bridge networks of Docker, such as those
        of C(docker compose). C(docker0) gets the first part, and new networks get their ranges from the rest
        (C(--default-address-pool)). Without this option C(docker0) has the whole subnet.
      - With Docker 24.0 and later, new networks also get the MTU of the overlay (C(--default-network-opt)). A value of
        that flag that is set elsewhere is kept. It is not set with O(target=options_file).
      - Existing networks keep their ranges. It is an error if the new range of C(docker0) overlaps one, because
        C(dockerd) would not start.
    type: dict
    version_added: 1.1.0
    suboptions:
      bridge_len:
        description: Prefix length of the part for C(docker0), such as V(25) in a subnet with the prefix length 24.
        type: int
        required: true
      network_len:
        description: Prefix length of each user-defined network, such as V(28) for 13 containers.
        type: int
        required: true
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff of O(daemon_file) has only the keys of this module, because other keys may be secrets.
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
- name: Write the options file as mk-docker-opts does
  clusternet.overlay.docker_opts:

- name: Set the subnet of this host in a drop-in of dockerd
  clusternet.overlay.docker_opts:
    target: dropin
  register: docker_opts

- name: Show why Docker needs a restart
  ansible.builtin.debug:
    var: docker_opts.restart_reasons
  when: docker_opts.restart_required

- name: Write the drop-in on a host with flanneld, with Red Hat's variable
  clusternet.overlay.docker_opts:
    target: dropin
    agent_unit: flanneld.service
    key: DOCKER_NETWORK_OPTIONS
    path: /run/flannel/docker

- name: Give one half of the subnet to docker0, and ranges in the other half to user-defined networks
  clusternet.overlay.docker_opts:
    target: dropin
    user_networks:
      bridge_len: 25
      network_len: 28

- name: Remove the drop-in
  clusternet.overlay.docker_opts:
    target: dropin
    state: absent
"""

RETURN = r"""
options:
  description: The options of C(dockerd) for the subnet in O(subnet_file); empty with O(state=absent).
  returned: success
  type: dict
  sample: {bip: 10.5.7.1/24, ip-masq: "true", mtu: "1450"}
running_flags:
  description: The bridge arguments of the running C(dockerd); empty if it does not run.
  returned: success
  type: dict
  sample: {bip: 10.5.7.1/24, ip-masq: "true", mtu: "1450"}
unit_command:
  description:
    - The command with which the unit and its other drop-ins start C(dockerd). Empty with O(target=options_file), or if
      Docker is not installed.
  returned: success
  type: str
  sample: /usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
daemon_running:
  description: Whether C(dockerd) is running.
  returned: success
  type: bool
bridge_address:
  description: The address and prefix length of C(docker0), empty if it has none.
  returned: success
  type: str
  sample: 10.5.7.1/24
bridge_outside_subnet:
  description:
    - Whether C(docker0) has addresses outside of this host's subnet. Other hosts cannot reach its containers then.
  returned: success
  type: bool
restart_required:
  description:
    - Whether the options need a restart of Docker to be in effect, with C(docker0) deleted in between.
    - In check mode the files are compared as they would be after the run.
  returned: success
  type: bool
restart_reasons:
  description: The reasons for the restart.
  returned: success
  type: list
  elements: str
  sample:
    - dockerd runs without --mtu=1450
    - docker0 has the address 172.17.0.1/16, not 10.5.7.1/24
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._module.docker_opts import run
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "target": {
                "type": "str",
                "choices": ["options_file", "dropin", "daemon_json"],
                "default": "options_file",
            },
            "subnet_file": {"type": "path", "default": "/run/flannel/subnet.env"},
            "subnet_timeout": {"type": "int", "default": 0},
            "path": {"type": "path", "default": "/run/docker_opts.env"},
            "mode": {"type": "str", "choices": ["both", "individual", "combined"], "default": "both"},
            "key": {"type": "str", "default": "DOCKER_OPTS", "no_log": False},
            "ip_masq": {"type": "bool", "default": True},
            "unit": {"type": "str", "default": "docker.service"},
            "unit_dir": {"type": "path", "default": "/etc/systemd/system"},
            "dropin_name": {"type": "str", "default": "zz-overlay.conf"},
            "agent_unit": {"type": "str", "default": "overlayd.service"},
            "daemon_file": {"type": "path", "default": "/etc/docker/daemon.json"},
            "user_networks": {
                "type": "dict",
                "options": {
                    "bridge_len": {"type": "int", "required": True},
                    "network_len": {"type": "int", "required": True},
                },
            },
            "allow_direct_routing": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except OverlayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
