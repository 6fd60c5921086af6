# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A reset whose etcd answers only after the plan keeps the leases that the plan could not check (in check mode)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.etcd_server import EtcdServer

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/outage/network"
STRANGER = '{"PublicIP":"192.0.2.99","BackendType":"vxlan","BackendData":{"VtepMAC":"0e:00:00:00:00:01"}}'


def test_leases_that_the_plan_could_not_read_are_kept(tmp_path: Path) -> None:
    with EtcdServer(tmp_path / "etcd") as server:
        server.etcdctl("put", f"{PREFIX}/config", '{"Network":"10.50.0.0/16"}')
        server.etcdctl("put", f"{PREFIX}/subnets/10.50.9.0-24", STRANGER)
        server.kill()
        variables = {
            "ansible_python_interpreter": sys.executable,
            "overlay_network": "10.50.0.0/16",
            "overlay_etcd_prefix": PREFIX,
            "overlay_etcd_endpoints": list(server.endpoints),
        }
        groups = {"overlay": {"hosts": {"h1": {"ansible_connection": "local"}}}, "etcd": {}}
        (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": groups, "vars": variables}}))
        program = Path(sys.executable).parent / "ansible-playbook"
        with subprocess.Popen(
            [program, "--check", "-i", tmp_path / "hosts.json", ROOT / "playbooks/reset.yml"],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as playing:
            assert playing.stdout is not None
            output = ""
            for line in playing.stdout:
                output += line
                if line.startswith("PLAY [Remove Docker from the overlay]"):
                    server.restart()
    assert playing.returncode == 0, output
    assert "unknown at this time" in output
    words = " ".join(output.split())
    assert "the leases could not be read before the reset" in words
    assert "run the reset again when etcd answers" in words
    assert "changed=0" in output, output
