# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module docker_opts: the options of mk-docker-opts, and what is refused before a change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.module_runner import Runner

ENV = "FLANNEL_NETWORK=10.50.0.0/16\nFLANNEL_SUBNET=10.50.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
BOTH = (
    'DOCKER_OPT_BIP="--bip=10.50.7.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=false"\nDOCKER_OPT_MTU="--mtu=1450"\n'
    'DOCKER_OPTS=" --bip=10.50.7.1/24 --ip-masq=false --mtu=1450"\n'
)
Module = Callable[..., dict[str, Any]]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Return a function that runs the module on files below the test's folder."""
    (tmp_path / "subnet.env").write_text(ENV)
    own = {
        "subnet_file": str(tmp_path / "subnet.env"),
        "path": str(tmp_path / "docker_opts.env"),
        "unit": "docker-of-this-test.service",
        "unit_dir": str(tmp_path / "units"),
        "daemon_file": str(tmp_path / "daemon.json"),
    }

    def run(check: bool = False, docker_opts: str = "", **options: Any) -> dict[str, Any]:
        monkeypatch.setenv("DOCKER_OPTS", docker_opts)
        result: dict[str, Any] = json.loads(Runner("docker_opts", own).raw(check, **options))
        return result

    return run


def test_the_options_file_is_announced_then_written_then_unchanged(module: Module, tmp_path: Path) -> None:
    file = tmp_path / "docker_opts.env"
    announced = module(check=True)
    assert announced["changed"]
    assert not file.exists()
    done = module()
    assert (done["changed"], file.read_text()) == (True, BOTH)
    assert (
        announced["diff"]
        == done["diff"]
        == [{"before_header": str(file), "after_header": str(file), "before": "", "after": BOTH}]
    )
    assert done["options"] == {"bip": "10.50.7.1/24", "ip-masq": "false", "mtu": "1450"}
    assert not module()["changed"]
    assert not module(check=True)["changed"]


def test_mode_key_masquerading_and_inherited_options_are_those_of_mk_docker_opts(
    module: Module, tmp_path: Path
) -> None:
    module(mode="combined", ip_masq=False, docker_opts="--debug")
    assert (tmp_path / "docker_opts.env").read_text() == 'DOCKER_OPTS="--debug --bip=10.50.7.1/24 --mtu=1450"\n'
    module(mode="combined", key="DOCKER_NETWORK_OPTIONS")
    assert (tmp_path / "docker_opts.env").read_text().startswith('DOCKER_NETWORK_OPTIONS=" --bip=')


def test_without_a_subnet_file_there_are_no_options_and_no_error(module: Module, tmp_path: Path) -> None:
    (tmp_path / "subnet.env").unlink()
    assert module()["options"] == {}
    assert (tmp_path / "docker_opts.env").read_text() == 'DOCKER_OPTS=""\n'


def test_a_bad_subnet_file_is_an_error_and_the_options_are_not_changed(module: Module, tmp_path: Path) -> None:
    module()
    (tmp_path / "subnet.env").write_text(ENV.replace("true", "perhaps"))
    result = module()
    assert result["failed"]
    assert result["msg"] == f"{tmp_path}/subnet.env: FLANNEL_IPMASQ 'perhaps' is neither true nor false"
    assert (tmp_path / "docker_opts.env").read_text() == BOTH


def test_written_files_are_removed_even_without_docker(module: Module, tmp_path: Path) -> None:
    module()
    assert module(state="absent", check=True)["changed"]
    assert module(state="absent")["changed"]
    assert not (tmp_path / "docker_opts.env").exists()
    assert not module(state="absent", target="dropin")["changed"]


def test_keys_of_daemon_json_are_removed_and_other_keys_are_not_shown(module: Module, tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"bip": "10.50.7.1/24", "mtu": 1450, "http-proxy": "http://user:hunter2@192.0.2.1"}')
    result = module(state="absent", target="daemon_json")
    assert json.loads(file.read_text()) == {"http-proxy": "http://user:hunter2@192.0.2.1"}
    assert "hunter2" not in json.dumps(result)
    file.write_text('{"bip": "10.50.7.1/24"}')
    module(state="absent", target="daemon_json")
    assert not file.exists()


@pytest.mark.parametrize("target", ["dropin", "daemon_json"])
def test_a_host_without_docker_is_refused_by_the_units_name(module: Module, tmp_path: Path, target: str) -> None:
    result = module(target=target)
    assert result["failed"]
    assert "no unit docker-of-this-test.service; install Docker first" in result["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["subnet.env"]


def test_a_drop_in_needs_the_subnet_file(module: Module, tmp_path: Path) -> None:
    (tmp_path / "subnet.env").unlink()
    message = module(target="dropin")["msg"]
    assert "subnet.env is missing: overlayd.service has not written it; see journalctl -u overlayd.service" in message


def test_a_subnet_file_that_comes_late_is_waited_for(module: Module, tmp_path: Path) -> None:
    file = (tmp_path / "subnet.env").rename(tmp_path / "draft")
    late = threading.Timer(1, file.rename, [tmp_path / "subnet.env"])
    late.start()
    result = module(subnet_timeout=30)
    late.join()
    assert result["options"] == {"bip": "10.50.7.1/24", "ip-masq": "false", "mtu": "1450"}


def test_a_subnet_file_that_never_appears_is_an_error_that_names_the_timeout(module: Module, tmp_path: Path) -> None:
    (tmp_path / "subnet.env").unlink()
    assert "subnet.env is missing after 1 seconds: " in module(target="dropin", subnet_timeout=1)["msg"]
