# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab: hosts start, are isolated from other labs, are repaired, and are removed without leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.lab import ROOT
from support.lab_runner import Runner


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def lab() -> Iterator[Runner]:
    runner = Runner(f"test{os.getpid()}")
    try:
        runner("up", "-n", "2")
        yield runner
    finally:
        runner("down")


@pytest.fixture
def other() -> Iterator[Runner]:
    runner = Runner(f"other{os.getpid()}")
    yield runner
    runner("down")


def test_two_labs_of_the_same_addresses_run_side_by_side(lab: Runner, other: Runner) -> None:
    other("up", "-n", "1")
    assert lab("exec", "h1", "cat", "/etc/machine-id") != other("exec", "h1", "cat", "/etc/machine-id")
    lab("exec", "h1", "ping", "-c", "1", "-W", "2", "h2")
    assert other.try_to("exec", "h1", "ping", "-c", "1", "-W", "1", "h2").returncode == 1
    other("down")
    assert other.residue() == []
    lab("exec", "h2", "ping", "-c", "1", "-W", "2", "h1")


def test_a_second_up_changes_nothing_and_reports_it(lab: Runner) -> None:
    lab("up")
    before = [lab.started_at(host) for host in ("h1", "h2")]
    assert f"lab {lab.name} was already up" in lab("up")
    assert [lab.started_at(host) for host in ("h1", "h2")] == before


def test_exec_passes_standard_input_and_the_exit_code_on(lab: Runner) -> None:
    done = lab.try_to("exec", "h1", "sh", "-c", "cat; exit 7", given="a line\n")
    assert (done.returncode, done.stdout) == (7, "a line\n")


def test_shell_runs_the_commands_of_a_pipe_and_ends_with_their_status(lab: Runner) -> None:
    done = lab.try_to("shell", "h1", given="hostname\nexit 7\n")
    assert (done.returncode, done.stdout.split()) == (7, ["h1"])
    assert lab.try_to("shell", "h1", given="").returncode == 0


def test_hosts_are_listed_in_order_and_the_image_in_a_sentence(lab: Runner) -> None:
    assert [line.split()[0] for line in lab("wait").splitlines()] == ["h1", "h2"]
    assert lab("build").startswith("the image of the hosts is /")


def test_net_runs_where_the_bridge_is(lab: Runner) -> None:
    assert "192.168.100.1/24" in lab("net", "ip", "-br", "addr", "show", "br0")


@pytest.mark.parametrize("inventory", ["folder", "printed"])
def test_ansible_reaches_the_hosts_by_ssh(lab: Runner, tmp_path: Path, inventory: str) -> None:
    path = ROOT / "inventories" / "lab"
    if inventory == "printed":
        path = tmp_path / "hosts.yml"
        path.write_text(lab("inventory"))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "adhoc", "-i", path, "h1,h2", "-a", "hostname"],
        env=lab.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("CHANGED") == 2


def test_a_rebooted_host_keeps_its_disk_and_loses_its_devices(lab: Runner) -> None:
    before = lab.started_at("h1")
    lab("exec", "h1", "sh", "-c", "echo kept >/root/file; ip link add lost type bridge")
    lab("exec", "h1", "systemctl", "reboot")
    wait_until(lambda: lab.has_booted_since("h1", before))
    lab("wait")
    assert lab("exec", "h1", "cat", "/root/file") == "kept"
    assert lab.try_to("exec", "h1", "ip", "link", "show", "lost").returncode == 1


def test_a_stopped_host_is_off_and_starts_with_its_disk(lab: Runner) -> None:
    lab("exec", "h2", "sh", "-c", "echo kept >/root/file")
    lab("stop", "h2")
    status = lab.try_to("status")
    assert status.returncode == 1
    assert "h2  192.168.100.12  off" in status.stdout
    assert "is off" in lab.try_to("exec", "h2", "true").stderr
    lab("start", "h2")
    assert lab("exec", "h2", "cat", "/root/file") == "kept"
    lab("status")


@pytest.mark.parametrize("victim", ["supervisor", "nspawn"])
def test_up_repairs_a_lab_after_a_killed_process(lab: Runner, victim: str) -> None:
    lab("up")
    pid = supervisor = lab.supervisor("h1")
    if victim == "nspawn":
        pid = int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text())
    untouched = lab.started_at("h2")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(supervisor))
    lab("up")
    lab("status")
    assert lab.supervisor("h1") != supervisor
    assert lab.started_at("h2") == untouched


def test_up_repairs_a_lab_whose_bridge_was_removed(lab: Runner) -> None:
    lab("up")
    subprocess.run(["ip", "-n", lab.full_name, "link", "del", "br0"], check=True)
    lab("up")
    lab("exec", "h1", "ping", "-c", "1", "-W", "2", "h2")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("reached", ["lab-name", "hosts/h1", "hosts/h2/supervisor"])
def test_down_leaves_nothing_of_an_interrupted_up(other: Runner, sent: signal.Signals, reached: str) -> None:
    process = other.begin("up", "-n", "2")
    wait_until((other.directory / reached).exists)
    os.killpg(process.pid, sent)
    process.wait()
    other("down")
    assert other.residue() == []


def test_up_completes_an_interrupted_up_and_an_interrupted_down(other: Runner) -> None:
    process = other.begin("up", "-n", "1")
    wait_until((other.directory / "hosts/h1").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    other("up", "-n", "1")
    supervisor = other.supervisor("h1")
    process = other.begin("down")
    wait_until(lambda: is_gone(supervisor))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    other("up", "-n", "1")
    other("status")


def test_down_ends_all_processes_in_the_lab_and_leaves_nothing(other: Runner) -> None:
    links = subprocess.check_output(["ip", "-o", "link"])
    other("up", "-n", "1")
    other("exec", "h1", "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
    listener = other.begin("net", "sleep", "1000")
    wait_until(lambda: b"sleep" in Path(f"/proc/{listener.pid}/cmdline").read_bytes())
    assert len(other.residue()) > 5
    other("down")
    assert listener.wait(10) == -signal.SIGKILL
    assert other.residue() == []
    assert f"lab {other.name} was not up" in other("down")
    assert subprocess.check_output(["ip", "-o", "link"]) == links


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_directory_that_is_not_a_lab_is_refused_and_kept(other: Runner, command: str) -> None:
    with TemporaryDirectory() as name:  # the paths of pytest's folders are too long
        folder = Path(name)
        (folder / "letter").write_text("dear")
        other.environment["LAB_DIR"] = name
        refused = other.try_to(command)
        del other.environment["LAB_DIR"]
        assert refused.returncode == 1
        assert "is not empty and not a lab" in refused.stderr
        assert [path.name for path in folder.iterdir()] == ["letter"]


def test_a_directory_too_long_for_ssh_is_refused_at_once(other: Runner, tmp_path: Path) -> None:
    other.environment["LAB_DIR"] = str(tmp_path / ("long" * 20))
    refused = other.try_to("up")
    del other.environment["LAB_DIR"]
    assert "too long for ssh's sockets" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_bad_name_and_an_unknown_host_are_one_line_with_a_remedy(lab: Runner) -> None:
    assert "h1, h2" in lab.try_to("exec", "h7", "true").stderr
    assert "more than 1" in lab.try_to("up", "-n", "1").stderr
    refused = Runner("Bad/name").try_to("up")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "'Bad/name' is invalid" in refused.stderr
