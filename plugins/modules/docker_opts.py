#!/usr/bin/python
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell Docker which subnet of the overlay network is this host's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_opts
short_description: Tell Docker which subnet of the overlay network is this host's
version_added: 1.0.0
author: clusternet.overlay contributors (@clusternet)
description:
  - Reads the subnet file that C(overlayd) (or C(flanneld)) writes, and gives C(dockerd) the options C(--bip), C(--mtu)
    and C(--ip-masq) that follow from it, so that Docker's default bridge C(docker0) has this host's subnet.
  - It never restarts Docker. It tells by RV(restart_required) whether that is needed, from what C(dockerd) runs with
    and what C(docker0) really has, so that a restart that was put off is still asked for by the next run.
  - Options of C(dockerd) that others set are kept. An option that is set twice, which C(dockerd) refuses to start with,
    is an error that names the file, and nothing is changed.
options:
  state:
    description:
      - With V(present) Docker's files say what the subnet file asks for.
      - With V(absent) what O(target) names is removed. Docker gets its own bridge back once it has been stopped,
        C(docker0) deleted and Docker started. Docker remembers the address of C(docker0), though; one start with
        C(--bridge=none) in between, as the role P(clusternet.overlay.docker#role) does it, makes it choose anew.
    type: str
    choices: [present, absent]
    default: present
  target:
    description:
      - With V(options_file) only the file O(path) is written, as C(mk-docker-opts) does, for a unit of your own to
        read. Without a subnet file there are no options, which is no error.
      - With V(dropin) there is also a drop-in for O(unit). It starts C(dockerd) with all arguments that the unit and
        its other drop-ins give, and then C($DOCKER_OPTS). The options file is made anew from the subnet file at each
        start, after O(agent_unit), because C(/run) is empty after a boot and the subnet may be another one. Docker
        does not start without a subnet file; it is tried again every two seconds.
      - With V(daemon_json) the options are keys of O(daemon_file), and the drop-in of this module is removed. That file
        does not follow the subnet by itself; run the module again when the subnet has changed.
      - To go from V(daemon_json) to V(dropin), use O(state=absent) with V(daemon_json) first.
    type: str
    choices: [options_file, dropin, daemon_json]
    default: options_file
  subnet_file:
    description: The subnet file. (Option C(-f) of C(mk-docker-opts).)
    type: path
    default: /run/flannel/subnet.env
  subnet_timeout:
    description:
      - Seconds to wait for O(subnet_file), such as on a host where the agent was started just before.
      - In check mode there is nothing to wait for.
    type: int
    default: 0
  path:
    description: The options file. (Option C(-d).)
    type: path
    default: /run/docker_opts.env
  mode:
    description:
      - Which lines the options file has, with V(individual) a variable for each option (option C(-i)), with V(combined)
        one for all (option C(-c)), with V(both) both kinds.
      - V(individual) does not go with O(target=dropin).
    type: str
    choices: [both, individual, combined]
    default: both
  key:
    description:
      - The variable that holds all options. (Option C(-k).)
      - What it already holds stays in front. With O(target=dropin) that is its value in the environment of the unit,
        such as one from C(/etc/default/docker), otherwise its value in the environment of the task.
    type: str
    default: DOCKER_OPTS
  ip_masq:
    description:
      - Whether C(--ip-masq) is given, as the inverse of C(FLANNEL_IPMASQ). (V(false) is option C(-m).)
      - Without it Docker masquerades, and other hosts may see the address of this host instead of the container's.
    type: bool
    default: true
  unit:
    description: The systemd unit of C(dockerd).
    type: str
    default: docker.service
  unit_dir:
    description: The folder below which the drop-in is put.
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
      - The configuration file of C(dockerd). It is checked for options that are set twice, and changed with
        O(target=daemon_json); then C(dockerd --validate) must accept it, where Docker has that (23.0 and later).
      - With O(state=absent) and O(target=daemon_json) the keys C(bip), C(mtu), C(ip-masq) and C(allow-direct-routing)
        are removed, and the file if nothing else is in it.
    type: path
    default: /etc/docker/daemon.json
  allow_direct_routing:
    description:
      - Docker 28.0 and later drop what another host sends to the address of a container. From 28.2 on the option
        C(--allow-direct-routing) turns that off, and with V(auto) it is set there.
      - With V(always) an older Docker is an error, with V(never) it is not set.
      - A value given elsewhere is kept. This is of no effect with O(target=options_file).
    type: str
    choices: [auto, always, never]
    default: auto
extends_documentation_fragment:
  - clusternet.overlay.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of O(daemon_file) only the keys of this module are shown, since others may hold secrets.
  idempotent:
    support: full
seealso:
  - module: clusternet.overlay.subnet_lease_info
"""

EXAMPLES = r"""
- name: Write the options file as mk-docker-opts does
  clusternet.overlay.docker_opts:

- name: Give dockerd the subnet of this host by a drop-in
  clusternet.overlay.docker_opts:
    target: dropin
  register: docker_opts

- name: Say what a restart is needed for
  ansible.builtin.debug:
    var: docker_opts.restart_reasons
  when: docker_opts.restart_required

- name: The same beside flanneld, with Red Hat's variable
  clusternet.overlay.docker_opts:
    target: dropin
    agent_unit: flanneld.service
    key: DOCKER_NETWORK_OPTIONS
    path: /run/flannel/docker

- name: Take it away again
  clusternet.overlay.docker_opts:
    target: dropin
    state: absent
"""

RETURN = r"""
options:
  description: The options of C(dockerd) that follow from the subnet file; none with O(state=absent).
  returned: success
  type: dict
  sample: {bip: 10.5.7.1/24, ip-masq: "true", mtu: "1450"}
running_flags:
  description: The arguments about the bridge that C(dockerd) runs with; none if it does not run.
  returned: success
  type: dict
  sample: {bip: 10.5.7.1/24, ip-masq: "true", mtu: "1450"}
unit_command:
  description:
    - The command with which the unit and its other drop-ins start C(dockerd). Empty with O(target=options_file), or if
      Docker is not there.
  returned: success
  type: str
  sample: /usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
daemon_running:
  description: Whether C(dockerd) runs.
  returned: success
  type: bool
bridge_address:
  description: The address and prefix length of C(docker0), empty if it has none.
  returned: success
  type: str
  sample: 10.5.7.1/24
restart_required:
  description:
    - Whether Docker must be stopped, C(docker0) deleted and Docker started for its options to be in effect.
    - In check mode this is about the files as they would be.
  returned: success
  type: bool
restart_reasons:
  description: Why that is so.
  returned: success
  type: list
  elements: str
  sample:
    - dockerd runs without --mtu=1450
    - docker0 has the address 172.17.0.1/16, not 10.5.7.1/24
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.clusternet.overlay.plugins.module_utils._docker_opts import run
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
