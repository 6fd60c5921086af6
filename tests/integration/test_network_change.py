# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run of site.yml changes the network of a fleet with running containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lab_fleet import DOCKER_STATE, HOSTS, Fleet, down_at_a_time

NETWORK = "10.60.0.0/16"
HOST_GW = {"Type": "host-gw"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet with one container on each host."""
    with Fleet("change", tmp_path_factory.mktemp("change")).running() as fleet:
        fresh = fleet.play("site", verify_containers=False)
        assert fresh.status == 0, fresh.output
        fleet.start_containers("busy")
        yield fleet


def states(fleet: Fleet) -> dict[str, str]:
    """The subnet, the dockerd process and the container's address of each host."""
    files = "cat /run/flannel/subnet.env /run/docker.pid"
    return {host: f"{fleet.sh(host, files)}\n{fleet.container(host, 'busy')}" for host in HOSTS}


def test_a_change_of_a_network_in_use_is_refused_before_the_first_change(fleet: Fleet) -> None:
    before = states(fleet)
    refused = fleet.play("site", overlay_network=NETWORK)
    assert refused.status != 0
    assert "overlay_network 10.50.0.0/16 -> 10.60.0.0/16: this changes a network in use" in refused.output
    assert "h1, h2, h3 lease another subnet, so their running containers lose their addresses" in refused.output
    assert "run this again with -e overlay_change_confirm=true" in refused.output
    assert refused.output.count("changed=0") == refused.output.count("changed=") == len(HOSTS)
    assert states(fleet) == before


def test_another_etcd_prefix_is_refused_before_the_first_change(fleet: Fleet) -> None:
    before = states(fleet)
    refused = fleet.play("site", overlay_etcd_prefix="/other/network")
    assert refused.status != 0
    assert (
        "overlay_etcd_prefix is /other/network, but the agents of h1, h2, h3 use /coreos.com/network" in refused.output
    )
    assert "until all agents use the new prefix, containers cannot reach the containers" in refused.output
    assert refused.output.count("changed=0") == refused.output.count("changed=") == len(HOSTS)
    assert states(fleet) == before


def test_a_confirmed_change_of_the_backend_leaves_running_containers_alone(fleet: Fleet) -> None:
    before = states(fleet)
    changed = fleet.play("site", overlay_backend=HOST_GW, overlay_change_confirm=True)
    assert changed.status == 0, changed.output
    assert "converged, restart pending on: h1, h2, h3." in changed.output
    expected = {host: text.replace("FLANNEL_MTU=1450", "FLANNEL_MTU=1500") for host, text in before.items()}
    assert states(fleet) == expected


def test_a_confirmed_change_of_the_network_restarts_docker_on_one_host_at_a_time(fleet: Fleet) -> None:
    with fleet.watched(DOCKER_STATE) as samples:
        changed = fleet.play("site", overlay_network=NETWORK, overlay_backend=HOST_GW, overlay_change_confirm=True)
    assert changed.status == 0, changed.output
    order = "h1 (1 containers); h2 (1 containers); h3 (1 containers)"
    assert f"Docker restarts in these batches, one after the other: {order}" in changed.output
    assert down_at_a_time(samples) == (1, set(HOSTS))
    assert "restart pending" not in changed.output
    for text in states(fleet).values():
        assert f"FLANNEL_NETWORK={NETWORK}" in text
        assert text.splitlines()[-1].startswith("true 10.60.")


def test_check_mode_shows_the_restarts_of_docker_that_a_change_will_cause(fleet: Fleet) -> None:
    before = states(fleet)
    checked = fleet.play("site", "--check", "--diff", overlay_network="10.50.0.0/16", overlay_backend=HOST_GW)
    assert checked.status == 0, checked.output
    assert "A run without --check refuses this unless it has -e overlay_change_confirm=true" in checked.output
    order = "h1 (1 containers); h2 (1 containers); h3 (1 containers)"
    assert f"Docker restarts in these batches, one after the other: {order}" in checked.output
    assert states(fleet) == before
