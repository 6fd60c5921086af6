# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind of the lab's hosts: its choice, and how virtual machines are booted and reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from overlaylab import cli, operations, ssh, vm
from overlaylab.process import LabError
from overlaylab.settings import Host, lab_of


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a lab that does not exist."""
    return {"LAB_NAME": "unit", "LAB_DIR": str(tmp_path / "lab"), "LAB_CACHE": str(tmp_path / "cache")}


def host_of(environment: dict[str, str]) -> Host:
    """The second host of a lab of virtual machines."""
    return lab_of({**environment, "LAB_KIND": "vm"}).host(2)


def option(command: list[str], name: str) -> str:
    """The value of an option that is in the command line once."""
    assert command.count(name) == 1
    return command[command.index(name) + 1]


def test_the_default_is_the_kind_of_the_hosts_that_the_lab_has(environment: dict[str, str]) -> None:
    assert lab_of(environment).kind == lab_of({**environment, "LAB_KIND": ""}).kind == "nspawn"
    lab = lab_of({**environment, "LAB_KIND": "vm"})
    assert lab.environment()["LAB_KIND"] == lab.kind == "vm"
    lab.directory.mkdir()
    lab.kind_file.write_text("vm\n")
    assert lab_of(environment).kind == "vm"


def test_an_unknown_kind_is_refused_in_one_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**environment, "LAB_KIND": "xen"}.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["up"]) == 1
    assert capsys.readouterr().err == (
        "lab: LAB_KIND 'xen' is unknown; use nspawn (containers of systemd-nspawn) or vm (virtual machines)\n"
    )


def test_another_kind_than_that_of_the_hosts_is_refused(environment: dict[str, str]) -> None:
    lab = lab_of(environment)
    lab.directory.mkdir()
    lab.kind_file.write_text("nspawn\n")
    with pytest.raises(LabError, match=r"has hosts of the kind nspawn, and LAB_KIND is vm; .*LAB_KIND=nspawn"):
        lab_of({**environment, "LAB_KIND": "vm"})


def test_the_accelerator_is_chosen_and_an_unknown_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vm.accelerator({"LAB_ACCEL": "kvm"}) == "kvm"
    monkeypatch.setattr(vm, "_DEVICE", Path("/nonexistent"))
    assert vm.accelerator({"LAB_ACCEL": ""}) == vm.accelerator({}) == "tcg"
    with pytest.raises(LabError, match="LAB_ACCEL 'fast' is unknown; use kvm, or tcg for software emulation"):
        vm.accelerator({"LAB_ACCEL": "fast"})


def test_a_device_that_creates_no_virtual_machine_means_software_emulation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(vm, "_DEVICE", tmp_path / "kvm")
    assert vm.accelerator({}) == "tcg"


def test_a_machine_runs_where_the_bridge_is_and_has_its_own_disk_and_card(environment: dict[str, str]) -> None:
    host = host_of(environment)
    command = vm.command(host, "tcg")
    assert command[:4] == ["nsenter", "--net=/run/netns/clusternet-lab.unit", "--", "qemu-system-x86_64"]
    drives = [value for before, value in zip(command, command[1:]) if before == "-drive"]
    assert drives == [
        f"file={host.directory}/disk.qcow2,if=virtio,format=qcow2,cache=unsafe,discard=unmap",
        f"file={host.lab.image}/srv.ext4,if=virtio,format=raw,readonly=on",
    ]
    assert option(command, "-netdev") == "tap,id=lan,ifname=h2,script=no,downscript=no"
    assert "virtio-net-pci,netdev=lan,mac=02:00:00:00:64:12,romfile=" in command


@pytest.mark.parametrize(("accelerator", "processors"), [("kvm", "2"), ("tcg", "1")])
def test_a_machine_has_the_processors_of_its_accelerator(
    environment: dict[str, str], accelerator: str, processors: str
) -> None:
    command = vm.command(host_of(environment), accelerator)
    assert (option(command, "-accel"), option(command, "-smp")) == (accelerator, processors)
    assert ("-cpu" in command) == (accelerator == "kvm")
    assert ("no_timer_check" in option(command, "-append")) == (accelerator == "tcg")


def test_a_command_reaches_the_host_as_it_was_written(environment: dict[str, str]) -> None:
    host = host_of(environment)
    command = ssh.command_on(host, "sh", "-c", "echo 'two  words'")
    assert command[-2:] == ["192.168.100.12", """sh -c 'echo '"'"'two  words'"'"''"""]
    assert "ProxyCommand=nsenter --net=/run/netns/clusternet-lab.unit socat - TCP:%h:%p,connect-timeout=2" in command


def test_both_kinds_have_the_same_inventory_except_for_the_patience_of_ssh(environment: dict[str, str]) -> None:
    containers = operations.inventory(lab_of(environment), 3)
    machines = operations.inventory(host_of(environment).lab, 3)
    assert "ServerAliveCountMax=30" in machines
    assert machines.replace("ServerAliveCountMax=30", "ServerAliveCountMax=3") == containers
