# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to the rest of a fleet while site.yml changes it: real hosts, real Docker, running containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest
from lab_fleet import HOSTS, Fleet, Sample

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the lab makes namespaces and mounts: it needs root")
DOCKER_STATE = "systemctl show --property=ActiveState --value docker.service"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A converged fleet with one container on each host, restarted only where a test allows it."""
    fleet = Fleet("rollout-test", tmp_path_factory.mktemp("rollout"))
    try:
        fleet.lab("up")
        fleet.lab("wait")
        fresh = fleet.play("site")
        assert fresh.status == 0, fresh.output
        for host in HOSTS:
            fleet.sh(host, "docker run --detach --init --name busy overlay-probe sleep 86400")
        yield fleet
    finally:
        fleet.lab("down")


def down_at_a_time(samples: dict[str, list[Sample]]) -> tuple[int, set[str]]:
    """Return how many hosts had Docker down at the same time at most, and which hosts had it down at any time."""
    edges = []
    for host, known in samples.items():
        for before, after in pairwise(known):
            if after.text != "active":
                edges += [(before.time, 1, host), (after.time, -1, host)]
    most = now = 0
    for _unused, step, _unused_host in sorted(edges):
        now += step
        most = max(most, now)
    return most, {host for _unused, _unused_step, host in edges}


@pytest.mark.parametrize(("variables", "most"), [({}, 1), ({"overlay_serial": 2}, 2), ({"overlay_serial": 1}, 1)])
def test_no_more_docker_daemons_are_down_at_a_time_than_group_vars_allow(
    fleet: Fleet, variables: dict[str, int], most: int
) -> None:
    masquerades = "--ip-masq=false" in fleet.sh("h1", "tr '\\0' ' ' < /proc/$(pgrep -x dockerd)/cmdline")
    fleet.group_vars(**variables)
    with fleet.watched(DOCKER_STATE) as samples:
        changed = fleet.play("site", docker_restart="needed", docker_ip_masq=not masquerades)
    assert changed.status == 0, changed.output
    assert down_at_a_time(samples) == (most, set(HOSTS))
    assert "Docker restarts, each batch after the one before runs again: h1 (1 containers)" in changed.output
    assert {fleet.sh(host, "docker inspect --format '{{.State.Running}}' busy") for host in HOSTS} == {"true"}


def test_a_group_of_group_vars_that_does_not_exist_is_an_error(fleet: Fleet) -> None:
    fleet.group_vars(overlay_group="docker")
    refused = fleet.play("site")
    assert refused.status != 0
    assert "overlay_group: the group docker is not in the inventory" in refused.output
