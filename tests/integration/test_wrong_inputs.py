# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Invalid variables of a fleet: each is one error that names the variable, before any change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOSTS = {name: {"ansible_connection": "local"} for name in ("a", "b", "c")}
FLEET = {"overlay_network": "10.50.0.0/16", "ansible_python_interpreter": sys.executable}
ENDPOINTS = ["http://127.0.0.1:1"]
PLAY = """
- hosts: overlay
  gather_facts: false
  roles:
    - clusternet.overlay.{role}
"""


def play(
    folder: Path, playbook: Path, variables: Mapping[str, object], errors: int = 1, unset: Container[str] = ()
) -> str:
    """Run a playbook for a fleet with these variables; return its errors as one line."""
    inventory = folder / "hosts.json"
    known = {name: value for name, value in {**FLEET, **variables}.items() if name not in unset}
    groups = {"overlay": {"hosts": HOSTS}, "etcd": {}}
    inventory.write_text(json.dumps({"all": {"children": groups, "vars": known}}))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, playbook],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    assert done.stdout.count("\nfatal: [") == errors, done.stdout
    assert "changed=1" not in done.stdout
    return " ".join(done.stdout.partition("\nfatal: [")[2].partition("PLAY RECAP")[0].split())


@pytest.mark.parametrize(
    "variable, value, sentence",
    [
        ("overlay_backend", "host-gw", "overlay_backend 'host-gw' is not a mapping; write overlay_backend: {Type:"),
        ("overlay_backend", {"Type": "vxlan", "VNI": 0}, "overlay_backend.VNI 0 is out of range"),
        ("overlay_subnet_len", 31, "overlay_subnet_len must be less than /31; it is 31, use 30 or less"),
        ("overlay_subnet_min", "10.50.0.7", "overlay_subnet_min is not on a overlay_subnet_len boundary"),
        ("overlay_network", "", "overlay_network is not set; write an unused private range"),
        ("docker_restart", "always", "docker_restart 'always' is not auto, needed or never; write one of these"),
        ("etcd_tls", True, "etcd_tls True is not disabled, role-made or provided; write one of these"),
        ("docker_restrt", "needed", "docker_restrt: no such variable; did you mean docker_restart?"),
        ("verify_wait", "long", "verify_wait 'long' is not a number; write a number without quotes"),
        (
            "overlay_etcd_endpoints",
            "192.0.2.10:2379",
            "overlay_etcd_endpoints '192.0.2.10:2379' is not a list of URLs; write a list such as",
        ),
    ],
)
def test_a_wrong_variable_is_one_error_that_names_it(
    tmp_path: Path, variable: str, value: object, sentence: str
) -> None:
    assert sentence in play(tmp_path, ROOT / "playbooks/preflight.yml", {variable: value})


def test_a_missing_network_is_one_error_that_names_the_variable(tmp_path: Path) -> None:
    error = play(tmp_path, ROOT / "playbooks/preflight.yml", {}, unset=("overlay_network",))
    assert "overlay_network is not set; write an unused private range" in error


def test_a_variable_that_needs_facts_is_left_to_its_role(tmp_path: Path) -> None:
    own = {
        "docker_users": ["me"],
        "etcd_backup_dir": "/srv",
        "overlay_team": "net",
    }  # names of the user
    later = {"agent_healthz_port": "{{ ansible_facts.none.such }}", "agent_etcd_endpoints": ["{{ none_such }}"]}
    variables = {**own, **later, "overlay_etcd_endpoints": "{{ none_such }}", "overlay_network": ""}
    assert "overlay_network is not set" in play(tmp_path, ROOT / "playbooks/preflight.yml", variables)


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A play of the user's own with the role agent."""
    playbook = tmp_path / "agent.yml"
    playbook.write_text(PLAY.format(role="agent"))
    return playbook


def test_a_problem_of_all_hosts_is_one_error_of_a_role(tmp_path: Path, agent: Path) -> None:
    error = play(tmp_path, agent, {"overlay_etcd_endpoints": ENDPOINTS, "agent_healthz_port": 70000})
    assert "a, b, c: agent_healthz_port 70000 is not a TCP port; set 1 to 65535" in error


def test_a_problem_of_some_hosts_stops_these_hosts_only(tmp_path: Path, agent: Path) -> None:
    port = "{{ 70000 if inventory_hostname == 'b' else 0 }}"
    variables = {"overlay_etcd_endpoints": ENDPOINTS, "agent_healthz_port": port, "agent_python": "/none"}
    error = play(tmp_path, agent, variables, errors=2)
    assert "b: agent_healthz_port 70000 is not a TCP port; set 1 to 65535" in error
    assert "a, c: agent_python /none cannot run the agent" in error


def test_an_etcd_that_no_host_reaches_is_one_error_that_names_the_variable(tmp_path: Path) -> None:
    playbook = tmp_path / "network.yml"
    playbook.write_text(PLAY.format(role="network"))
    endpoints = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    error = play(tmp_path, playbook, {"overlay_etcd_endpoints": endpoints})
    assert "Connection to etcd (overlay_etcd_endpoints) failed on a, b, c" in error
    assert "http://127.0.0.1:1: connection refused; http://127.0.0.1:2: connection refused" in error
