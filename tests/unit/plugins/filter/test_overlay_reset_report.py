# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A reset ends with what it could not remove, the cause, and what to do."""

from __future__ import annotations

from typing import Any

from ansible_collections.clusternet.overlay.plugins.filter.overlay_reset_report import FilterModule

overlay_reset_report = FilterModule().filters()["overlay_reset_report"]
ERROR = "no etcd endpoint can be used: http://192.0.2.1:2379: connection refused"
REFUSED = {"msg": ERROR}


def plan(**more: Any) -> dict[str, Any]:
    """The plan of a limited reset of h1."""
    facts = {
        "whole": False,
        "etcd": "keep",
        "prefix": "/coreos.com/network",
        "clients": ["h1"],
        "keeps": [],
        "missing": [],
    }
    return {**facts, **more}


def result(**more: Any) -> dict[str, Any]:
    """The facts of h1 after a complete removal."""
    agent = {"installed": True, "dataplane": True, "lease_error": "", "subnet": "", "packages": ["iptables"]}
    facts = {"name": "h1", "done": True, "release": {"leases": []}, "removal": {}}
    return {**facts, **more, "agent": {**agent, **more.get("agent", {})}}


def report(shape: dict[str, Any], *results: dict[str, Any]) -> str:
    """The lines of the report as one text."""
    lines: list[str] = overlay_reset_report(shape, results)
    return "\n".join(lines)


def test_a_complete_reset_names_what_it_kept_and_nothing_else() -> None:
    assert report(plan(whole=True, etcd="all"), result(release={}, removal={"leases": []})) == (
        "kept: Docker, packages that other programs may use (iptables), and net.ipv4.ip_forward until the next boot"
    )


def test_a_lease_that_etcd_did_not_delete_is_named_with_cause_and_remedy() -> None:
    agent = {"lease_error": f"ERROR {ERROR}", "subnet": "10.50.7.1/24"}
    text = report(plan(), result(release=REFUSED, agent=agent))
    assert f"not removed: the lease 10.50.7.0/24 of h1 in etcd: ERROR {ERROR}; run the reset again when etcd" in text
    assert "expires 24 hours after its last renewal" in text


def test_a_lease_that_was_deleted_at_the_second_attempt_is_not_named() -> None:
    assert "not removed" not in report(plan(), result(agent={"lease_error": "timeout"}))


def test_a_second_reset_of_a_host_without_certificates_has_nothing_to_report() -> None:
    again = result(release={"msg": "ca_file is missing"}, agent={"installed": False})
    assert "not removed" not in report(plan(clients=[]), again)


def test_a_config_that_stays_in_another_etcd_is_named() -> None:
    text = report(plan(whole=True), result(release={}, removal=REFUSED))
    assert f"not removed: the network config and the leases below /coreos.com/network in etcd: {ERROR}; run " in text


def test_an_etcd_that_is_deleted_has_no_keys_left_to_report() -> None:
    text = report(plan(whole=True, etcd="all"), result(release={}, removal=REFUSED, agent={"lease_error": ERROR}))
    assert "not removed" not in text


def test_a_host_that_failed_keeps_the_config_and_etcd() -> None:
    text = report(plan(whole=True, etcd="all"), result(), result(name="h2", done=False, agent={}))
    assert "failed: h2 failed above and still uses the overlay; repair it and reset it again" in text
    assert "kept: the network config and etcd, because h2 still uses them" in text


def test_a_data_plane_that_the_agent_could_not_remove_is_named() -> None:
    text = report(plan(), result(agent={"dataplane": False}))
    assert "not removed: device, routes and firewall rules of h1: /usr/sbin/overlayd" in text


def test_a_limited_reset_names_the_next_step() -> None:
    assert "next: remove h1 from the group of Docker hosts (overlay_group)" in report(plan(), result())


def test_a_host_that_keeps_etcd_stays_in_the_group_of_its_members() -> None:
    assert "a host that keeps etcd stays in the group of etcd members" in report(plan(etcd="keep"), result())
    assert "stays in the group" not in report(plan(etcd="leave"), result())


def test_hosts_that_prevent_the_rest_of_the_reset_are_the_next_step() -> None:
    text = report(plan(missing=["h3", "192.0.2.9"]), result())
    assert text.endswith("or if they no longer exist, run the reset again with -e overlay_reset_gone=h3,192.0.2.9")
