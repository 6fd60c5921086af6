# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page /metrics."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.metrics import page
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import SILENCE, Probe, Status
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet


def test_a_counter_above_a_million_has_all_its_digits() -> None:
    status = Status()
    status.count("repairs", 1_234_567, "routes")
    status.count("reconcile_seconds", 0.25)
    status.probes = {Subnet.parse("10.50.7.0/24"): Probe(7_654_321, 2)}
    lines = page(status).splitlines()
    assert 'overlay_repairs_total{kind="routes"} 1234567' in lines
    assert "overlay_reconcile_seconds_total 0.25" in lines
    assert 'overlay_probe_packets_total{peer="10.50.7.0/24"} 7654321' in lines


def test_an_agent_whose_main_loop_is_stuck_is_not_ready() -> None:
    status = Status()
    status.ready = True
    assert "overlay_ready 1" in page(status).splitlines()
    status.last_turn -= SILENCE
    assert "overlay_ready 0" in page(status).splitlines()
