# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlay_doctor: the checks of overlayctl doctor as a module; test_doctor.py in diagnosis tests the checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.agent_fleet import Fleet
from support.agent_network import Network

Run = Callable[..., dict[str, Any]]


def test_a_break_is_the_first_finding_with_its_cure(
    fleet: Fleet, network: Network, module_on: Callable[..., Run]
) -> None:
    network.configure()
    host = fleet.joined(2)[0]
    fleet.containers()
    doctor = module_on(host, "overlay_doctor", subnet_file=str(host.subnet_file), agent_unit="none")
    sound = doctor()
    assert (sound["sound"], sound["first"], sound["findings"], sound["changed"]) == (True, "", [], False)
    host.namespace.setting("net/ipv4/ip_forward", "0")
    found = doctor()
    assert not found["sound"]
    assert found["first"].startswith("forwarding: net.ipv4.ip_forward is 0")
    assert found["findings"][0]["cure"] == "sysctl -w net.ipv4.ip_forward=1"
    assert doctor(endpoints=["http://192.0.2.1:1"])["findings"][0]["name"] == "etcd-unreachable"
    assert "endpoint" in doctor(fails=True, endpoints=["nonsense"])["msg"]
