# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module network_overlap_info: it finds an overlap with a host's own networks before the installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_network import Network
from support.module_runner import Runner
from support.netns import Lan, Namespace


class Question:
    """The module inside a host's network namespace."""

    def __init__(self, host: Namespace, folder: Path) -> None:
        self._subnet_file = folder / "subnet.env"
        state = {"subnet_file": str(self._subnet_file), "state_dir": str(folder)}
        self._run = Runner("network_overlap_info", state, host)

    def member_of(self, network: str, subnet: str) -> None:
        """Write the subnet file as an agent does."""
        self._subnet_file.write_text(
            f"FLANNEL_NETWORK={network}\nFLANNEL_SUBNET={subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        )

    def __call__(self, network: str, **options: Any) -> dict[str, Any]:
        return self._run(network=network, **options)


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A host with the address 192.0.2.11/24 on eth0, and a default route."""
    lan = Lan(1)
    lan.hosts[0].command("ip", "route", "add", "default", "via", "192.0.2.1")
    yield lan.hosts[0]
    lan.close()


@pytest.fixture
def ask(host: Namespace, tmp_path: Path) -> Question:
    """The module on a fresh host."""
    return Question(host, tmp_path)


def test_a_network_apart_from_all_others_has_no_problem(ask: Question) -> None:
    found = ask("10.50.0.0/16")
    assert (found["problems"], found["member"], found["changed"]) == ([], False, False)


@pytest.mark.parametrize("network", ["192.0.2.128/25", "192.0.2.0/24", "192.0.0.0/16"])
def test_a_network_that_overlaps_the_lan_is_a_problem(ask: Question, network: str) -> None:
    assert any("overlaps the connected network 192.0.2.0/24 dev eth0" in text for text in ask(network)["problems"])


def test_only_routes_as_specific_as_the_network_are_a_problem(host: Namespace, ask: Question) -> None:
    host.command("ip", "route", "add", "10.0.0.0/8", "via", "192.0.2.77", "proto", "static")
    assert ask("10.50.0.0/16")["problems"] == []
    host.command("ip", "route", "add", "10.50.64.0/18", "via", "192.0.2.77", "proto", "static")
    (problem,) = ask("10.50.0.0/16")["problems"]
    assert "overlaps the static route 10.50.64.0/18 via 192.0.2.77 dev eth0" in problem
    assert ask("10.50.0.0/16", subnet_min="10.50.128.0")["problems"] == []


def test_an_etcd_inside_the_network_is_a_problem(ask: Question) -> None:
    (problem,) = ask("10.50.0.0/16", etcd_addresses=["10.50.9.9", "etcd.example.net"])["problems"]
    assert "overlaps the etcd endpoint 10.50.9.9" in problem


def test_leftovers_of_the_overlay_and_of_flannel_are_no_problem(host: Namespace, ask: Question) -> None:
    host.command("ip", "link", "add", "flannel.1", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "eth0")
    host.command("ip", "address", "add", "10.50.7.0/32", "dev", "flannel.1")
    host.command("ip", "link", "set", "flannel.1", "up")
    host.command("ip", "route", "add", "10.50.8.0/24", "via", "10.50.8.0", "dev", "flannel.1", "onlink")
    host.command("ip", "route", "add", "10.50.9.0/24", "via", "192.0.2.78")
    host.command("ip", "link", "add", "docker0", "up", "type", "bridge")
    host.command("ip", "address", "add", "10.50.7.1/24", "dev", "docker0")
    ask.member_of("10.50.0.0/16", "10.50.7.1/24")
    found = ask("10.50.0.0/16")
    assert (found["problems"], found["member"]) == ([], True)


def test_a_member_of_an_overlapping_network_is_recognized(ask: Question) -> None:
    ask.member_of("192.0.0.0/16", "192.0.7.1/24")
    found = ask("192.0.0.0/16")
    assert found["member"] is True
    assert found["problems"] != []


def test_a_problem_names_the_variables_of_the_roles(ask: Question) -> None:
    (problem,) = ask("192.0.0.0/16", subnet_min="192.0.2.0", subnet_max="192.0.3.0")["problems"][:1]
    assert problem.startswith("overlay_network 192.0.0.0/16, subnets from 192.0.2.0/24 to 192.0.3.0/24: overlaps")
    assert problem.endswith(
        "choose another overlay_network, or overlay_subnet_min and overlay_subnet_max that exclude it"
    )


def test_without_a_network_that_in_etcd_is_compared(
    fleet: Fleet, network: Network, module_on: Callable[..., Runner]
) -> None:
    (host,) = fleet(1)
    run = module_on(host, "network_overlap_info", subnet_file=str(host.subnet_file), state_dir=str(host.state))
    assert f"etcd has no network config {network.prefix}/config; write one" in run(fails=True)["msg"]
    network.configure(network="192.0.2.0/23")
    assert run()["problems"][0].startswith("overlay_network 192.0.2.0/23, subnets from ")


def test_without_a_network_and_an_etcd_the_error_names_the_option(host: Namespace) -> None:
    message = Runner("network_overlap_info", {}, host)(fails=True, endpoints=["http://127.0.0.1:1"])["msg"]
    assert "http://127.0.0.1:1: " in message
    assert message.endswith("; or set the option network, such as network=10.50.0.0/16")


def test_an_invalid_network_is_an_error(host: Namespace) -> None:
    run = Runner("network_overlap_info", {}, host)
    assert "10.50.0.0/33" in run(fails=True, network="10.50.0.0/33")["msg"]
