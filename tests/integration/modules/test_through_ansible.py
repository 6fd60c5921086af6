# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules as users call them: shipped by ansible-playbook and ad hoc, with TLS, users and the agent's settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.etcd_server import EtcdServer, make_tls
from support.module_runner import ModuleNetwork

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "hunter2-secret"
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/clusternet.overlay.etcd:
      endpoints: "{{ endpoints }}"
      api: "{{ api }}"
      prefix: "{{ prefix }}"
      timeout: 30
  tasks:
    - clusternet.overlay.network_config:
        network: 10.5.0.0/16
        subnet_len: "{{ '26' }}"
        backend: {type: vxlan, VNI: "{{ '7' }}"}
      register: config
    - clusternet.overlay.network_config_info:
      register: config_info
    - clusternet.overlay.subnet_lease:
        public_ip: 192.0.2.7
        subnet: 10.5.7.64/26
      register: lease
      when: config_info.exists
    - clusternet.overlay.subnet_lease_info:
      register: lease_info
    - ansible.builtin.copy:
        content: "{{ dict(config=config, config_info=config_info, lease=lease, lease_info=lease_info) | to_json }}"
        dest: "{{ out }}"
        mode: "0600"
      check_mode: false
      diff: false
"""


def command(program: str) -> list[str]:
    return [str(Path(sys.executable).parent / program)]


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ETCDCTL_", "ANSIBLE_"))}
    return {**clean, "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_PYTHON_INTERPRETER": sys.executable, **more}


@pytest.fixture
def play(overlay: ModuleNetwork, tmp_path: Path) -> Any:
    """Return a function that runs the playbook and returns what its tasks registered, and all that was printed."""
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    variables = {
        "endpoints": [overlay.endpoint],
        "api": overlay.api,
        "prefix": overlay.prefix,
        "out": str(tmp_path / "out.json"),
    }

    def run(*options: str) -> tuple[dict[str, Any], str]:
        words = [*command("ansible-playbook"), "-i", "localhost,", "-c", "local", "-e", json.dumps(variables), *options]
        done = subprocess.run(
            [*words, str(tmp_path / "play.yml")],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads((tmp_path / "out.json").read_text()), done.stdout + done.stderr

    return run


def test_a_playbook_changes_once_as_check_mode_announced(overlay: ModuleNetwork, play: Any) -> None:
    results, printed = play("--check", "--diff")
    assert results["config"]["changed"] and not results["config_info"]["exists"]
    assert '+  "SubnetLen": 26' in printed
    assert overlay.keys("") == []
    results, printed = play("--diff")
    assert results["config"]["changed"] and results["lease"]["changed"]
    assert results["config_info"]["config"] == results["config"]["config"]
    assert [lease["subnet"] for lease in results["lease_info"]["leases"]] == ["10.5.7.64/26"]
    assert '+10.5.7.64-26 reservation {"PublicIP":"192.0.2.7","PublicIPv6":null}' in printed
    for options in ((), ("--check",)):
        results, printed = play(*options)
        assert not results["config"]["changed"] and not results["lease"]["changed"]
        assert "WARNING" not in printed


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    tls = make_tls(tmp_path_factory.mktemp("tls"))
    with EtcdServer(tmp_path_factory.mktemp("secured"), tls=tls) as server:
        server.enable_auth(PASSWORD)
        yield server


def ad_hoc(
    *words: str, variables: Mapping[str, str] | None = None, wrapper: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run ansible on this machine with its most verbose output."""
    return subprocess.run(
        [*wrapper, *command("ansible"), "localhost", "-c", "local", "-vvv", *words],
        cwd=ROOT,
        env=environment(**variables or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("api", ["v3", "v2"])
def test_the_variables_of_etcdctl_suffice_and_their_password_is_never_printed(secured: EtcdServer, api: str) -> None:
    assert secured.tls is not None
    done = ad_hoc(
        "-m",
        "clusternet.overlay.subnet_lease_info",
        "-a",
        f"api={api} timeout=30",
        variables={
            "ETCDCTL_ENDPOINTS": secured.endpoint,
            "ETCDCTL_CACERT": secured.tls.ca_file,
            "ETCDCTL_USER": f"root:{PASSWORD}",
        },
    )
    assert done.returncode == 0 and "leases: []" in done.stdout, done.stdout
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("api", ["v3", "v2"])
def test_a_wrong_password_and_a_wrong_ca_are_one_clear_error_each(secured: EtcdServer, api: str) -> None:
    assert secured.tls is not None
    words = ("-m", "clusternet.overlay.network_config_info", "-a", f"api={api} timeout=30")
    known = {"ETCDCTL_ENDPOINTS": secured.endpoint, "ETCDCTL_CACERT": secured.tls.ca_file}
    wrong_password = ad_hoc(*words, variables={**known, "ETCDCTL_USER": "root:wrong-secret"})
    assert wrong_password.returncode != 0 and "root" in wrong_password.stdout
    assert "wrong-secret" not in wrong_password.stdout + wrong_password.stderr
    assert "Traceback" not in wrong_password.stdout + wrong_password.stderr
    wrong_ca = ad_hoc(*words, variables={**known, "ETCDCTL_CACERT": secured.tls.other_ca_file})
    assert wrong_ca.returncode != 0 and "certificate" in wrong_ca.stdout
    assert "Traceback" not in wrong_ca.stdout + wrong_ca.stderr


def test_on_a_host_of_the_overlay_the_agents_settings_suffice(secured: EtcdServer, tmp_path: Path) -> None:
    assert os.geteuid() == 0, "a mount namespace with an /etc of its own needs root; run the integration tests as root"
    assert secured.tls is not None
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True)
    settings = tmp_path / "etc" / "overlayd" / "overlayd.env"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(
        f"FLANNELD_ETCD_ENDPOINTS={secured.endpoint}\nFLANNELD_ETCD_CAFILE={secured.tls.ca_file}\n"
        f'FLANNELD_ETCD_USERNAME=root\nFLANNELD_ETCD_PASSWORD="{PASSWORD}"\nFLANNELD_ETCD_PREFIX=/of/the/agent\n'
    )
    secured.etcdctl("put", "/of/the/agent/subnets/10.5.7.0-24", '{"PublicIP":"192.0.2.7"}', user=f"root:{PASSWORD}")
    inside = ("unshare", "--mount", "sh", "-c", f'mount --bind "{tmp_path}/etc" /etc && exec "$@"', "sh")
    done = ad_hoc("-m", "clusternet.overlay.subnet_lease_info", wrapper=inside)
    assert done.returncode == 0 and "/of/the/agent/subnets/10.5.7.0-24" in done.stdout, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_the_v2_api_needs_no_python_etcd(overlay: ModuleNetwork, tmp_path: Path) -> None:
    (tmp_path / "etcd.py").write_text("raise ImportError('not installed')\n")
    words = f"api=v2 endpoints={overlay.endpoint}"
    done = ad_hoc("-m", "clusternet.overlay.network_config_info", "-a", words, variables={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0 and "exists: false" in done.stdout, done.stdout + done.stderr
