# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data of the report, and the page that the role report makes of it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_report import overlay_report
from support.fleet_results import NETWORK, address, container, lease_of, path, subnet, verified_host
from support.report_page import page

VOID = ("meta", "link")


def fleet(count: int) -> list[dict[str, Any]]:
    return [verified_host(number, count) for number in range(count)]


def test_a_sound_fleet_has_a_good_path_for_each_test() -> None:
    found = overlay_report(fleet(3), [lease_of(number) for number in range(3)], NETWORK)
    assert found["counts"] == {"hosts": 3, "sound": 3, "paths": 6, "good": 6}
    assert [(path["from"], path["to"]) for path in found["paths"]] == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert [path["class"] for path in found["paths"]] == ["fast", "fast", "medium", "medium", "slow", "slow"]
    assert found["hosts"][1]["lease"] == "23 h 53 min" and found["hosts"][1]["peers"] == "2 of 2"
    assert (found["points"][0]["x"], found["points"][0]["y"]) == (0.0, -200.0)


def test_paths_with_problems_are_partial_or_lost() -> None:
    hosts = fleet(3)
    hosts[0]["verify_probe"]["peers"] = {container(1): path(None, "no answer"), container(2): path(0.3, "MTU")}
    found = overlay_report(hosts)
    assert [path["class"] for path in found["paths"][:2]] == ["lost", "partial"]
    assert found["counts"]["good"] == 4


def test_an_unreachable_host_is_shown_with_its_problem() -> None:
    hosts = [*fleet(2), {"inventory_hostname": "h9", "verify_host": {"unreachable": True, "msg": "no route to host"}}]
    found = overlay_report(hosts)
    assert found["hosts"][2]["subnet"] == "" and "no route to host" in found["hosts"][2]["problems"][0]
    assert found["counts"]["sound"] == 2


def test_the_first_finding_of_the_doctor_is_the_cause() -> None:
    host = verified_host(0, 2)
    host["verify_host"]["problems"] = ["overlayd.service is stopped"]
    note, cause = (
        {"severity": kind, "text": kind, "cause": "c", "cure": "systemctl start"} for kind in ("note", "error")
    )
    host["verify_doctor"] = {"findings": [note, cause]}
    assert overlay_report([host])["hosts"][0]["cause"] == cause


def test_the_pool_separates_live_reserved_absent_and_unusable_leases() -> None:
    leases = [
        lease_of(0),
        lease_of(1, reservation=True, ttl=None),
        lease_of(7),
        lease_of(8, problem="garbage"),
        {**lease_of(9), "subnet": "10.99.0.0/24"},
    ]
    pool = overlay_report(fleet(2), leases, NETWORK)["pool"]
    assert [part["kind"] for part in pool["parts"]] == ["leased", "reserved", "absent", "bad"]
    assert pool["parts"][1]["x"] == pytest.approx(128 * 1000 / 65536, abs=0.001)
    assert pool["taken"] == pytest.approx(4 * 128 * 100 / 65536, abs=0.06)
    assert overlay_report(fleet(2), leases)["pool"]["parts"] == []


class Page(HTMLParser):
    """The tags of a page; fails for a tag that is closed by another one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_the_page_is_complete_and_loads_nothing(count: int) -> None:
    leases = [lease_of(number) for number in range(count)]
    text = page(overlay_report(fleet(count) if count else [], leases, NETWORK))
    parsed = Page()
    parsed.feed(text)
    assert parsed.open == [] and parsed.links == ["data:,"] and "script" not in parsed.counts
    assert "<title>Fleet &lt;1&gt;</title>" in text and "http" not in text
    assert all(subnet(number) in text and address(number) in text for number in range(count))
    assert parsed.counts.get("circle", 0) == count
    assert len(text) < 1_000_000


def test_the_page_shows_problems_as_text() -> None:
    hosts = fleet(3)
    hosts[0]["verify_probe"]["peers"] = {container(1): path(None, "10.50.0.130 does <not> answer")}
    hosts[0]["verify_probe"]["problems"] = ["10.50.0.130 does <not> answer"]
    text = page(overlay_report(hosts, [lease_of(0, problem="value <x> is no JSON")], NETWORK))
    assert text.count("10.50.0.130 does &lt;not&gt; answer") == 2 and "value &lt;x&gt; is no JSON" in text
    assert "1 of 3 hosts have a problem" in text
