# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""verify's judgments of one host: the subnet file, the age of its lease, and the MAC in the lease."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.host_report import (
    HostReport,
    look_at_lease,
    read_env,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.view import own_mac
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import OverlayError
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease, parse_lease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item


def lease(**data: object) -> SubnetLease:
    """A lease with this BackendData."""
    value = {"PublicIP": "192.0.2.7", "BackendType": "vxlan", "BackendData": data or None}
    return parse_lease("10.50.7.0-24", json.dumps(value))


def test_the_error_of_a_missing_subnet_file_names_the_agent(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match=r"subnet\.env .*No such file or directory.*overlayd"):
        read_env(str(tmp_path / "subnet.env"))


def test_a_subnet_file_that_is_garbage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "subnet.env"
    path.write_text("FLANNEL_SUBNET=garbage\n")
    with pytest.raises(OverlayError, match=str(path)):
        read_env(str(path))


@pytest.mark.parametrize(
    ("ttl", "margin", "is_late"),
    [
        (86400, 3600.0, False),
        (3600, 3600.0, False),
        (3300, 3600.0, False),  # a renewal may be retried for 300 seconds
        (3299, 3600.0, True),
        (30, 60.0, False),  # of a short margin the half
        (29, 60.0, True),
        (None, 3600.0, False),  # a reservation
    ],
)
def test_a_lease_far_below_its_renewal_margin_is_a_problem(ttl: int | None, margin: float, is_late: bool) -> None:
    report = HostReport(subnet="10.50.7.0/24")
    look_at_lease(report, Item("key", "", 1, reservation=ttl is None), ttl, margin)
    assert (report.lease_ttl, report.reservation, len(report.problems)) == (ttl, ttl is None, int(is_late))


def test_a_late_lease_is_named_with_its_subnet_and_both_times() -> None:
    report = HostReport(subnet="10.50.7.0/24")
    look_at_lease(report, Item("key", "", 1, reservation=False), 600, 3600.0)
    (problem,) = report.problems
    assert "10.50.7.0/24 expires in 600 seconds" in problem
    assert "3000 seconds ago" in problem


def test_the_mac_of_a_lease_is_that_of_its_tunnel() -> None:
    assert own_mac(lease(VNI=1, VtepMAC="0e:00:00:00:00:07")) == bytes.fromhex("0e0000000007")


def test_a_lease_without_a_tunnel_has_no_mac() -> None:
    assert own_mac(lease()) is None


def test_a_bad_mac_in_the_own_lease_is_an_error_with_the_key() -> None:
    with pytest.raises(OverlayError, match=r"10\.50\.7\.0-24: VtepMAC .*restart overlayd"):
        own_mac(lease(VtepMAC="garbage"))
