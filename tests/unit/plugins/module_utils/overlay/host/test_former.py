# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The former state of a host: whether the memory file or the subnet file decides, and what the config changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.former import (
    Former,
    Held,
    former_devices,
    former_host,
    former_network,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.memory import Memory
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

NETWORK, OTHER_NETWORK = Subnet.parse("10.50.0.0/16"), Subnet.parse("10.60.0.0/16")
CONFIG = '{"Network": "10.50.0.0/16", "Backend": {"Type": "vxlan"}}'
MAC = bytes.fromhex("0e0000000007")
MEMORY = Memory("machine", "10.50.7.0/24", "192.0.2.7", "0e:00:00:00:00:07", "flannel.1", CONFIG)
REMEMBERED = Held(Subnet.parse("10.50.7.0/24"), parse_ipv4("192.0.2.7"))
WRITTEN = 1_000_000_000  # seconds since the epoch


@pytest.fixture
def memory_file(tmp_path: Path) -> Path:
    """The memory file, whose content is given apart from it."""
    path = tmp_path / "network.json"
    path.touch()
    os.utime(path, (WRITTEN, WRITTEN))
    return path


@pytest.fixture
def subnet_file(tmp_path: Path) -> Path:
    """The path of the subnet file, which does not exist yet."""
    return tmp_path / "subnet.env"


def write(path: Path, subnet: str, network: str = "10.50.0.0/16", age: int = 0) -> None:
    """Write a subnet file that is so many seconds older than the memory file."""
    first = subnet.replace(".0/", ".1/")
    path.write_text(f"FLANNEL_NETWORK={network}\nFLANNEL_SUBNET={first}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
    os.utime(path, (WRITTEN - age, WRITTEN - age))


def test_a_new_host_has_no_former_state(memory_file: Path, subnet_file: Path) -> None:
    assert former_host(None, memory_file, subnet_file) == Former(device_wins=True)


def test_without_a_memory_file_the_subnet_file_decides(memory_file: Path, subnet_file: Path) -> None:
    write(subnet_file, "10.50.9.0/24", age=60)
    held = (Held(Subnet.parse("10.50.9.0/24"), None),)
    assert former_host(None, memory_file, subnet_file) == Former(held, frozenset([NETWORK]), device_wins=True, mtu=1450)


def test_without_a_subnet_file_the_memory_file_decides(memory_file: Path, subnet_file: Path) -> None:
    former = former_host(MEMORY, memory_file, subnet_file)
    assert former == Former((REMEMBERED,), frozenset([NETWORK]), (("flannel.1", MAC),))


@pytest.mark.parametrize("age", [0, 60])
def test_a_subnet_file_that_is_not_newer_than_the_memory_file_decides_nothing(
    memory_file: Path, subnet_file: Path, age: int
) -> None:
    write(subnet_file, "10.50.9.0/24", age=age)
    former = former_host(MEMORY, memory_file, subnet_file)
    assert (former.held, former.device_wins) == ((REMEMBERED,), False)


def test_a_newer_subnet_file_comes_first_with_the_remembered_public_ip(memory_file: Path, subnet_file: Path) -> None:
    write(subnet_file, "10.50.9.0/24", age=-60)
    former = former_host(MEMORY, memory_file, subnet_file)
    assert former.held == (Held(Subnet.parse("10.50.9.0/24"), REMEMBERED.public_ip), REMEMBERED)
    assert former.device_wins


def test_the_networks_of_both_files_are_former_networks(memory_file: Path, subnet_file: Path) -> None:
    write(subnet_file, "10.60.9.0/24", "10.60.0.0/16", age=60)
    assert former_host(MEMORY, memory_file, subnet_file).networks == {NETWORK, OTHER_NETWORK}


def test_an_invalid_subnet_file_is_ignored(memory_file: Path, subnet_file: Path) -> None:
    subnet_file.write_text("FLANNEL_SUBNET=garbage\n")
    assert former_host(MEMORY, memory_file, subnet_file).held == (REMEMBERED,)


def test_a_backend_without_a_device_has_no_former_mac(memory_file: Path, subnet_file: Path) -> None:
    assert former_host(MEMORY._replace(mac="", device=""), memory_file, subnet_file).macs == ()


@pytest.mark.parametrize(("memory", "devices"), [(MEMORY, ["flannel.1"]), (MEMORY._replace(device=""), []), (None, [])])
def test_without_a_device_in_the_config_the_remembered_one_is_former(memory: Memory | None, devices: list[str]) -> None:
    assert former_devices(memory, None) == devices


@pytest.mark.parametrize(("network", "former"), [("10.50.0.0/16", None), ("10.60.0.0/16", NETWORK)])
def test_the_remembered_network_is_former_if_the_config_has_another(network: str, former: Subnet | None) -> None:
    config = NetworkConfig.parse(CONFIG.replace("10.50.0.0/16", network))
    assert former_network(MEMORY, config) == former
    assert former_network(None, config) is None
