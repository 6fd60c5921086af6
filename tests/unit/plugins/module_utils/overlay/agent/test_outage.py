# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pauses between attempts to reach etcd during an outage."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.outage import (
    ATTEMPTS,
    Outage,
    longest_pause,
)


@pytest.mark.parametrize(("away", "pause"), [(0, 0.5), (30, 0.5), (60, 1.0), (120, 2.0), (86_400, 2.0)])
def test_the_pause_grows_with_the_outage_up_to_a_bound(away: float, pause: float) -> None:
    assert longest_pause(away, 50) == pause


@pytest.mark.parametrize("hosts", [2_000, 10_000, 50_000])
@pytest.mark.parametrize("away", [0.0, 600.0])
def test_a_fleet_makes_a_bounded_number_of_attempts_in_a_second(hosts: int, away: float) -> None:
    shortest = longest_pause(away, hosts) / 2
    assert hosts / shortest <= 4 * ATTEMPTS


def test_hosts_do_not_retry_at_the_same_moment() -> None:
    pauses = {Outage(50).pause() for _attempt in range(100)}
    assert len(pauses) > 90
    assert 0.25 <= min(pauses) <= max(pauses) <= 0.5


def test_full_reads_after_an_outage_are_spread_over_a_large_fleet() -> None:
    assert all(30 <= Outage(100).resync_pause() <= 60 for _attempt in range(100))
    assert all(250 <= Outage(10_000).resync_pause() <= 500 for _attempt in range(100))
