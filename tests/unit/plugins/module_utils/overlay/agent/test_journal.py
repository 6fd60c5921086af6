# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log lines on peers and repairs: one each, or one for many."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent import journal
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.journal import (
    LINES,
    peer_log,
    repair_log,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.agent.status import Status
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.log import INFO, log
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.peer_table import PeerChange
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.state import PeerRows
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.step import Step
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.device import SetUp
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.fdb import FdbEntry, SetFdb
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.neighbour import (
    Neighbour,
    SetNeighbour,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.tables.route import AddRoute, Route
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4


@pytest.fixture(autouse=True)
def _logs_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "level", INFO)


def tunnel(number: int) -> PeerRows:
    """Return the rows of a peer over vxlan."""
    subnet = Subnet.parse(f"10.5.{number}.0/24")
    mac = bytes([0x0E, 0, 0, 0, 0, number])
    return PeerRows(
        Route(subnet, subnet.first, "flannel.1", onlink=True),
        Neighbour("flannel.1", subnet.first, mac),
        FdbEntry("flannel.1", mac, parse_ipv4("192.0.2.7")),
    )


def test_a_peer_with_a_direct_route_is_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    route = Route(Subnet.parse("10.5.7.0/24"), parse_ipv4("192.0.2.7"), "eth0", onlink=False)
    peer_log("vxlan", Status()).write([PeerChange(None, PeerRows(route))])
    peer_log("host-gw", Status()).write([PeerChange(PeerRows(route), None)])
    assert capsys.readouterr().err.splitlines() == [
        "INFO peer added: 10.5.7.0/24 at 192.0.2.7 (vxlan, direct route)",
        "INFO peer removed: 10.5.7.0/24 at 192.0.2.7 (host-gw)",
    ]


def test_as_many_changes_as_fit_are_a_line_each_and_more_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [PeerChange(None, tunnel(number)) for number in range(LINES + 1)]
    peer_log("vxlan", Status()).write(changes[:LINES])
    assert len(capsys.readouterr().err.splitlines()) == LINES
    peer_log("vxlan", Status()).write([*changes, PeerChange(tunnel(200), None)])
    assert capsys.readouterr().err.splitlines() == [
        f"INFO peers: {LINES + 1} added, 1 removed; the first: peer added: 10.5.0.0/24 at 192.0.2.7 (vxlan)"
    ]


def test_lines_above_the_limit_of_a_period_are_summed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PERIOD", 3600.0)
    peers = peer_log("vxlan", Status())
    peers.write([PeerChange(None, tunnel(1))])
    assert peers.due is None
    peers.write([PeerChange(None, tunnel(number)) for number in range(LINES)])
    assert peers.due is not None
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_many_repairs_are_counted_by_their_kind(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [tunnel(number) for number in range(10)]
    steps: list[Step] = [SetUp("flannel.1"), *(AddRoute(row.route) for row in rows if row.route)]
    steps += [SetNeighbour(row.neighbour) for row in rows if row.neighbour]
    steps += [SetFdb(row.fdb) for row in rows if row.fdb]
    repair_log(Status()).write(steps)
    assert capsys.readouterr().err.splitlines() == [
        "INFO repaired: 10 FDB entries, 10 neighbours, 10 routes, 1 settings of the device; "
        "the first: repaired: device flannel.1 was down"
    ]


def test_a_step_for_a_row_has_the_key_of_that_row() -> None:
    rows = tunnel(7)
    assert rows.route is not None
    assert rows.neighbour is not None
    assert rows.fdb is not None
    steps: list[Step] = [AddRoute(rows.route), SetNeighbour(rows.neighbour), SetFdb(rows.fdb)]
    assert [step.key for step in steps] == rows.keys()
    assert SetUp("flannel.1").key is None
