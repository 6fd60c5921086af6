# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlay_info on hosts with a real agent: a sound host, a lease in every bad state, no etcd, Docker's old bridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.agent_fleet import Fleet
from support.agent_host import Host
from support.agent_network import Network

Run = Callable[..., dict[str, Any]]
UNREACHABLE = "http://192.0.2.1:1"


@pytest.fixture(params=["vxlan", "host-gw"])
def host(request: pytest.FixtureRequest, fleet: Fleet, network: Network) -> Host:
    """A host whose agent runs, with Docker's bridge as the subnet file has it, and another host."""
    network.configure(request.param)
    host = fleet.joined(2)[0]
    fleet.containers()
    return host


@pytest.fixture
def info(module_on: Callable[..., Run], host: Host) -> Run:
    """overlay_info on the host, without a check of the unit, as systemd does not run the agents of these tests."""
    return module_on(host, "overlay_info", subnet_file=str(host.subnet_file), agent_unit="none")


def own_lease(host: Host, network: Network) -> dict[str, Any]:
    return network.leases()[host.subnet]


def write_lease(host: Host, network: Network, ttl: int | None = 86400, **changes: Any) -> None:
    """Stop the agent and write its lease again with these changes."""
    fields = own_lease(host, network) | changes
    network.lease(host.subnet, fields.pop("PublicIP"), ttl=ttl, **fields)


def test_a_sound_host_has_no_problem_and_its_lease_a_time(host: Host, info: Run) -> None:
    found = info()
    assert found["problems"] == []
    assert 86000 < found["lease_ttl"] <= 86400
    assert not found["reservation"] and not found["restart_required"]
    assert found["service"] == {}


def test_a_lease_that_is_not_renewed_is_a_problem_once_its_renewal_is_overdue(
    host: Host, network: Network, info: Run
) -> None:
    host.stop()
    write_lease(host, network, ttl=3500)
    assert info()["problems"] == []
    write_lease(host, network, ttl=3000)
    (problem,) = info()["problems"]
    assert f"the lease of this host's subnet {host.subnet} expires in " in problem
    assert "the agent does not renew it" in problem
    assert info(renew_margin=30)["problems"] == []


def test_a_reservation_never_needs_renewal(host: Host, network: Network, info: Run) -> None:
    host.stop()
    write_lease(host, network, ttl=None)
    found = info()
    assert (found["problems"], found["reservation"], found["lease_ttl"]) == ([], True, None)


def test_a_lease_that_another_host_has_taken_is_a_problem(host: Host, network: Network, info: Run) -> None:
    host.stop()
    data = own_lease(host, network).get("BackendData")
    taken: dict[str, Any] = {"BackendData": {**data, "VtepMAC": "0e:00:00:00:00:99"}} if data else {}
    write_lease(host, network, PublicIP="192.0.2.99", **taken)
    (problem,) = info()["problems"]
    assert "belongs to another host: 192.0.2.99 " in problem and "restart overlayd" in problem


def test_a_lease_that_is_gone_is_a_problem(host: Host, network: Network, info: Run) -> None:
    host.stop()
    network.delete(network.lease_name(host.subnet))
    (problem,) = info()["problems"]
    assert f"etcd does not have a lease for this host's subnet {host.subnet}" in problem


@pytest.mark.parametrize("api", ["auto", "v3"])
def test_an_etcd_that_cannot_be_reached_is_a_problem_beside_all_that_is_known(host: Host, info: Run, api: str) -> None:
    found = info(endpoints=[UNREACHABLE], api=api, timeout=2)
    assert found["subnet"] == host.subnet
    (problem,) = found["problems"]
    assert UNREACHABLE in problem


def test_an_endpoint_that_does_not_answer_is_named_while_another_one_does(host: Host, info: Run) -> None:
    assert info()["etcd_problems"] == []
    found = info(endpoints=[host.endpoint, UNREACHABLE], timeout=2)
    assert found["problems"] == []
    (problem,) = found["etcd_problems"]
    assert problem.startswith(f"{UNREACHABLE}: ")
    assert info(endpoints=[UNREACHABLE], timeout=2)["etcd_problems"] == []


def test_a_bridge_of_another_subnet_requires_a_restart_of_docker(host: Host, info: Run) -> None:
    bip = host.subnet_env["FLANNEL_SUBNET"]
    host.ip("address", "flush", "dev", "docker0")
    host.ip("address", "add", "172.17.0.1/16", "dev", "docker0")
    found = info()
    assert found["restart_required"]
    assert found["restart_reasons"] == [f"docker0 has the address 172.17.0.1/16, not {bip}"]
    assert found["restart_problems"] == found["problems"]
    assert "docker_restart=needed" in found["problems"][0]


def test_an_agent_that_is_no_unit_of_systemd_is_a_problem_unless_none_is_judged(host: Host, info: Run) -> None:
    found = info(agent_unit="no-such-agent.service")
    assert len(found["problems"]) == 1
    assert "agent" in found["problems"][0]


def test_a_subnet_outside_of_the_config_is_a_problem_until_the_agent_changes_it(
    host: Host, network: Network, info: Run
) -> None:
    host.stop()
    network.configure(own_lease(host, network)["BackendType"], network="10.77.0.0/16")
    assert any(
        f"and subnet {host.subnet}, but the network config has Network 10.77.0.0/16" in s for s in info()["problems"]
    )


def test_waiting_ends_when_the_agent_uses_a_changed_config(host: Host, network: Network, info: Run) -> None:
    other = {"vxlan": "host-gw", "host-gw": "vxlan"}[own_lease(host, network)["BackendType"]]
    network.configure(other)
    found = info(wait=30)
    assert (found["backend"], found["problems"]) == (other, found["restart_problems"])


@pytest.mark.parametrize("backend", ["alloc", "extension"])
def test_a_host_whose_peers_have_no_rows_of_overlayd_has_no_problem(
    fleet: Fleet, network: Network, module_on: Callable[..., Run], backend: str
) -> None:
    commands = {"SubnetAddCommand": "ip route add $SUBNET via $PUBLIC_IP"} if backend == "extension" else {}
    network.configure(backend, **commands)
    host = fleet.joined(2, "--extension-commands=direct")[0]
    host.ip("link", "add", "docker0", "type", "bridge")
    host.ip("address", "add", host.subnet_env["FLANNEL_SUBNET"], "dev", "docker0")
    found = module_on(host, "overlay_info", subnet_file=str(host.subnet_file), agent_unit="none")()
    assert found["problems"] == []
    assert found["backend"] == backend
    peers = 1 if backend == "extension" else 0
    assert (found["peers_expected"], found["peers_programmed"]) == (peers, peers)
