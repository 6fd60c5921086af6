# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of overlayd as the event source agents reads them; overlayd's own code writes them here."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils._event_source.agent_page import (
    Page,
    Readiness,
    parse_page,
    parse_readiness,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.metrics import page
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import Probe, Status
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet


def test_the_values_of_a_page_of_overlayd_are_found() -> None:
    status = Status()
    status.started = 1.5
    assert parse_page(page(status)) == Page(1.5, False, {}, 0.0, {})
    status.ready = True
    status.count("repairs", 2, "routes")
    status.count("repairs", 1_000_001, "neighbours")
    status.count("firewall_repairs", 3)
    status.probes = {Subnet.parse("10.50.7.0/24"): Probe(5, 2, 0.001), Subnet.parse("10.50.8.0/24"): Probe(4, 4)}
    assert parse_page(page(status)) == Page(
        started=1.5,
        is_ready=True,
        repairs={"routes": 2, "neighbours": 1_000_001},
        firewall_repairs=3,
        probes={"10.50.7.0/24": (5, 2), "10.50.8.0/24": (4, 4)},
    )


@pytest.mark.parametrize("text", ["", "<html>", "go_goroutines 8\n", "overlay_ready 1\n"])
def test_another_page_is_not_a_page_of_overlayd(text: str) -> None:
    with pytest.raises(ValueError, match="it has no metrics of overlayd"):
        parse_page(text)


def test_the_problems_of_an_agent_have_their_part() -> None:
    text = (
        '{"state": "starting", "subnet": null, "peers": 0, "problems": {"etcd": ["no config"], "kernel": ["x", "y"]}}'
    )
    assert parse_readiness(text) == Readiness(False, "starting", ("etcd: no config", "kernel: x", "kernel: y"))
    assert parse_readiness('{"state": "ready", "problems": {}}').is_ready


@pytest.mark.parametrize("text", ["", "ready", "[]", "{}", '{"state": "ready", "problems": []}'])
def test_another_text_is_not_the_readiness_of_overlayd(text: str) -> None:
    with pytest.raises(ValueError, match="it is not the JSON of overlayd"):
        parse_readiness(text)
