#!/usr/bin/env python3
# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints how Ansible reaches the hosts of `lab/lab up`: by ssh, through the network namespace of the lab's bridge.

LAB_NAME and LAB_DIR have the same meaning as for `lab/lab`. The kind of the hosts is in a file of the lab.
An inventory script runs once in a run of Ansible. Variables with a lookup in group_vars are evaluated for each task on
each host instead, which was a quarter of the processor time of a run that changes nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def variables() -> dict[str, object]:
    """Return the variables of all hosts."""
    name = os.environ.get("LAB_NAME") or "overlay"
    folder = Path(os.environ.get("LAB_DIR") or f"/var/lib/clusternet-lab/{name}")
    kind = folder / "kind"
    is_vm = kind.exists() and kind.read_text(encoding="utf-8").strip() == "vm"
    # The sockets of the shared connections are in the lab's folder, named by the hosts' addresses: the lab closes the
    # connection when its host stops. The ServerAlive options end the connection of a host that stopped in another way.
    options = {
        "UserKnownHostsFile": folder / "known_hosts",
        "ProxyCommand": f'"nsenter --net=/run/netns/clusternet-lab.{name} socat - TCP:%h:%p,connect-timeout=2"',
        "ControlMaster": "auto",
        "ControlPersist": "60s",
        "ControlPath": folder / "ssh/%h",
        "ServerAliveInterval": 2,
        "ServerAliveCountMax": 30 if is_vm else 15,
    }
    return {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
        "ansible_ssh_pipelining": True,
        "ansible_ssh_args": " ".join(f"-o {option}={value}" for option, value in options.items()),
        # A host on a busy machine may need more than the usual 10 seconds to answer, and so may an emulated machine.
        "ansible_ssh_timeout": 60 if is_vm else 30,
    }


if __name__ == "__main__":
    print(json.dumps({"_meta": {"hostvars": {}}, "all": {"vars": variables()}}))
