# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wireguard backend on a kernel without WireGuard: the process wireguard-go."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._module.overlayd_info import wireguard_error
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.backends.by_lease import GRACE
from support import wireguard as wg
from support.agent_fleet import Fleet
from support.agent_host import Host, until
from support.agent_network import TIMEOUT, Network
from support.hanging_process import assert_nothing_left, hang
from support.module_runner import Runner


@pytest.fixture(autouse=True, scope="module")
def _no_kernel_device() -> Iterator[None]:
    """In the guest, the kernel loses its module for these tests; another kernel must not have one."""
    with wg.no_module() if "OVERLAY_GUEST" in os.environ else nullcontext():
        assert not wg.is_in_kernel(), (
            "the kernel of this machine has WireGuard, so wireguard-go would not be used; run this test in the guest: "
            "make test-kernel T=tests/integration/guest/test_wireguard_process.py"
        )
        yield


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with the programs that overlayd needs, without wireguard-go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("iptables", "iptables-save", "iptables-restore", "ip"):
        (folder / name).symlink_to(shutil.which(name) or "/missing")
    return folder


def test_without_kernel_module_and_program_the_error_names_the_package(
    host: Host, network: Network, tools: Path
) -> None:
    network.configure("wireguard")
    host.start(environment={"PATH": str(tools)})
    host.wait_said("the kernel of this host has no WireGuard device, and wireguard-go is not installed; install the")
    assert not host.has("flannel-wg")


def test_a_running_host_changes_to_wireguard_when_the_program_is_installed_later(
    host: Host, network: Network, tools: Path
) -> None:
    wg.with_sockets(host)
    network.configure("host-gw")
    host.join(environment={"PATH": str(tools)})
    network.configure("wireguard")
    host.wait_said("wireguard-go is not installed; .* the last valid network config stays in use")
    (tools / "wireguard-go").symlink_to(shutil.which("wireguard-go") or "/missing")
    host.wait_started_again()
    assert network.leases()[host.subnet]["BackendType"] == "wireguard"
    assert host.said("is not installed") == 1


def joined(fleet: Fleet) -> list[Host]:
    """Return two hosts on which overlayd runs."""
    hosts = fleet(2)
    wg.with_sockets(*hosts)
    for host in hosts:
        host.join()
    return hosts


def test_a_killed_process_comes_back_with_everything(fleet: Fleet, network: Network) -> None:
    network.configure("wireguard", PSK=wg.random_key())
    host, _other = joined(fleet)
    one, two = fleet.containers()
    assert one.reaches(two)
    first, key = wg.process(host), wg.public_key(host)
    assert wg.key_file(host).read_text().strip() not in Path(f"/proc/{first}/cmdline").read_text()
    os.kill(first, signal.SIGKILL)
    until(lambda: one.reaches(two), lambda: host.log)
    assert wg.process(host) != first
    assert wg.public_key(host) == key
    assert not host.said("Traceback")


def test_a_process_that_does_not_answer_is_killed_and_comes_back_with_everything(
    fleet: Fleet, network: Network
) -> None:
    network.configure("wireguard")
    host, _other = joined(fleet)
    one, two = fleet.containers()
    assert one.reaches(two)
    first, key = wg.process(host), wg.public_key(host)
    os.kill(first, signal.SIGSTOP)
    network.lease("10.50.202.0/24", "192.0.2.202", BackendType="host-gw")
    until(lambda: "10.50.202.0/24" in host.routes(), lambda: host.log, 4.0)
    until(lambda: one.reaches(two), lambda: host.log, 25.0)
    assert wg.process(host) != first
    assert wg.public_key(host) == key
    assert host.said(rf"process flannel-wg \(process ID {first}\) does not answer; it is killed") == 1
    host.stop()
    second = wg.process(host)
    os.kill(second, signal.SIGSTOP)
    host.join()
    until(lambda: one.reaches(two), lambda: host.log, 25.0)
    assert wg.process(host) != second
    assert not host.said("is not a wireguard device")


def test_the_process_ends_when_no_lease_needs_the_device(fleet: Fleet, network: Network) -> None:
    network.configure("wireguard")
    hosts = joined(fleet)
    processes = [wg.process(host) for host in hosts]
    network.configure("host-gw")
    deletion = "deleting device flannel-wg: no lease needs it any more"
    until(lambda: all(host.said(deletion) for host in hosts), deletion, GRACE + 90)
    until(lambda: not any(Path(f"/proc/{process}").exists() for process in processes), "the end of both processes")
    until(lambda: not any("PublicKey" in str(lease) for lease in network.leases().values()), "no key in a lease")
    assert not any(host.has("flannel-wg") for host in hosts)


@pytest.mark.parametrize("remembers", [True, False])
def test_removal_kills_a_process_that_hangs(host: Host, network: Network, remembers: bool) -> None:
    stopped = hang(host, network, "wireguard")
    if not remembers:
        for memory in host.state.glob("*.json"):
            memory.unlink()
    done = host.run("--remove")
    assert done.returncode == 0, done.stderr
    assert_nothing_left(host, *stopped)


def test_the_module_overlayd_info_reports_whether_wireguard_can_be_used(
    host: Host, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Runner("overlayd_info", {}, host.namespace)
    assert run()["wireguard_error"] == ""
    assert run(wireguard=True)["wireguard_error"] == ""
    (tools / "unshare").symlink_to(shutil.which("unshare") or "/missing")
    monkeypatch.setenv("PATH", str(tools))
    assert "Unknown device type" in wireguard_error()


def test_the_module_overlay_route_leaves_no_file_of_a_killed_process(host: Host, network: Network) -> None:
    network.configure("wireguard")
    network.put("subnets/10.50.1.0-24", '{"PublicIP":"192.0.2.11","PublicIPv6":null}')
    wg.with_sockets(host)
    files = {"subnet_file": str(host.subnet_file), "state_dir": str(host.state)}
    etcd = {"endpoints": [host.endpoint], "prefix": host.prefix, "timeout": TIMEOUT}
    route = Runner("overlay_route", {**etcd, **files, "iface": "eth0"}, host.namespace)
    route(peers=[])
    os.kill(wg.process(host), signal.SIGKILL)
    until(lambda: not host.has("flannel-wg"), "the end of the device")
    route(state="absent")
    assert not list(host.state.glob("*"))
