# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module overlayd_info on a host without overlayd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlayd_info import python_version
from support.module_runner import COLLECTIONS, Runner
from support.netns import Lan, Namespace


@pytest.fixture(scope="module")
def host() -> Iterator[Namespace]:
    """The network namespace of a host."""
    lan = Lan(1)
    yield lan.hosts[0]
    lan.close()


def test_a_host_without_overlayd_has_no_release_and_no_running_service(host: Namespace) -> None:
    result = Runner("overlayd_info", {}, host)()
    assert (result["release"], result["runs"], result["newer_files"]) == ("", False, [])
    assert (result["changed"], result["flanneld_runs"], result["firewalls"]) == (False, False, [])


def test_the_kernel_of_the_tests_supports_vxlan(host: Namespace) -> None:
    assert Runner("overlayd_info", {}, host)()["vxlan_error"] == ""
    assert Runner("overlayd_info", {}, host)()["tun_error"] == ""


@pytest.mark.parametrize("forwards", [True, False])
def test_ip_forwarding_is_that_of_the_host(host: Namespace, forwards: bool) -> None:
    host.command("sysctl", "-q", "-w", f"net.ipv4.ip_forward={int(forwards)}")
    assert Runner("overlayd_info", {}, host)()["ip_forward"] is forwards


def test_missing_files_and_packages_are_listed(host: Namespace, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("")
    files = [str(tmp_path / name) for name in ("ca.crt", "client.key")] + [str(tmp_path)]
    result = Runner("overlayd_info", {}, host)(required_files=files, packages=["dpkg", "no-such-package"])
    assert result["missing_files"] == files[1:]
    assert result["missing_packages"] == ["no-such-package"]


def test_check_mode_returns_the_same(host: Namespace) -> None:
    run = Runner("overlayd_info", {}, host)
    assert run(check=True) == run()


def test_the_version_of_an_interpreter_is_returned() -> None:
    assert python_version(sys.executable) == (list(sys.version_info[:2]), "")


@pytest.mark.parametrize(
    ("python", "cause"), [("/no/python3", "No such file or directory"), ("/bin/false", "exit status 1")]
)
def test_an_interpreter_that_cannot_run_is_an_error_with_its_cause(python: str, cause: str) -> None:
    version, error = python_version(python)
    assert version == []
    assert cause in error


def test_without_root_the_module_fails_and_names_become() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.clusternet.overlay.plugins.modules.overlayd_info"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {}}),
        env={**os.environ, "PYTHONPATH": COLLECTIONS},
        user=65534,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout)
    assert result["failed"]
    assert result["msg"].endswith("run this as root, with become (-b)")
