# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Virtual machines of the lab: they boot, reboot, power off, are repaired, and are removed without leftovers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from support.lab_runner import Runner

LIMIT = 1200.0  # seconds for a boot in software emulation, on a busy machine


def boot_id(lab: Runner) -> str:
    """The kernel's name of the present boot of h1, "" while it does not answer."""
    return lab.try_to("exec", "h1", "cat", "/proc/sys/kernel/random/boot_id").stdout.strip()


def status(lab: Runner) -> str:
    """The state of h1."""
    return lab.try_to("status").stdout.split()[-1]


@pytest.fixture(scope="module")
def lab() -> Iterator[Runner]:
    """A lab of one virtual machine."""
    runner = Runner(f"vm{os.getpid()}", "vm")
    try:
        runner("up", "-n", "1")
        yield runner
    finally:
        runner("down")


def test_commands_get_their_input_and_return_their_exit_code(lab: Runner) -> None:
    done = lab.try_to("exec", "h1", "sh", "-c", "cat; echo 'two  words'; exit 7", given="a line\n")
    assert (done.returncode, done.stdout) == (7, "a line\ntwo  words\n")
    done = lab.try_to("shell", "h1", given="hostname\nexit 7\n")
    assert (done.returncode, done.stdout.split()) == (7, ["h1"])


def test_the_kernel_of_the_host_makes_the_devices_of_all_backends(lab: Runner) -> None:
    for kind in ("wireguard", "ipip remote 192.168.100.12", "vxlan id 1 dstport 8472"):
        lab("exec", "h1", "sh", "-ec", f"ip link add probe type {kind}; ip link delete probe")


def test_the_supplies_are_read_only(lab: Runner) -> None:
    assert {"archives", "debs", "images", "wheels"} <= set(lab("exec", "h1", "ls", "/srv").split())
    assert "Read-only file system" in lab.try_to("exec", "h1", "touch", "/srv/file").stderr


def test_a_rebooted_host_keeps_its_disk_and_loses_its_devices(lab: Runner) -> None:
    before = boot_id(lab)
    lab("exec", "h1", "sh", "-c", "echo kept >/root/file; ip link add lost type bridge")
    lab.try_to("exec", "h1", "systemctl", "reboot")
    deadline = time.monotonic() + LIMIT
    while boot_id(lab) in ("", before):
        assert time.monotonic() < deadline, "the host did not boot again"
        time.sleep(1)
    assert lab("exec", "h1", "cat", "/root/file") == "kept"
    assert lab.try_to("exec", "h1", "ip", "link", "show", "lost").returncode == 1


def test_a_host_that_powers_off_is_off_and_starts_with_its_disk(lab: Runner) -> None:
    lab("exec", "h1", "sh", "-c", "echo written >/root/file")
    lab.try_to("exec", "h1", "systemctl", "poweroff")
    deadline = time.monotonic() + LIMIT
    while status(lab) != "off":
        assert time.monotonic() < deadline, "the host did not power off"
        time.sleep(1)
    lab("start", "h1")
    assert lab("exec", "h1", "cat", "/root/file") == "written"


def test_up_repairs_a_lab_after_a_killed_supervisor(lab: Runner) -> None:
    before = boot_id(lab)
    os.kill(lab.supervisor("h1"), signal.SIGKILL)
    lab("up")
    assert boot_id(lab) not in ("", before)


def test_down_leaves_nothing_of_an_interrupted_up() -> None:
    other = Runner(f"other{os.getpid()}", "vm")
    process = other.begin("up", "-n", "1")
    deadline = time.monotonic() + LIMIT
    while not (other.directory / "hosts/h1/supervisor").exists():
        assert time.monotonic() < deadline, "the supervisor did not start"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    other("down")
    assert other.residue() == []
