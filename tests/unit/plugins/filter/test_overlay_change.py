# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The message about a change of a network in use: variables, hosts, restarts and effects on containers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_change import overlay_change

HOSTS = [{"name": "h1", "addresses": ["192.0.2.1", "10.0.0.1"]}, {"name": "h2", "addresses": ["192.0.2.2"]}]
IPS = ["192.0.2.1", "192.0.2.2"]


def sentence(docker_restart: str = "auto", **change: Any) -> str:
    facts = {"settings": [], "hosts": IPS, "moved": [], "new_mtu": [], "disrupts": True, "losses": [], **change}
    return overlay_change(facts, HOSTS, docker_restart, "overlay_")


def test_variables_are_named_with_both_values_and_hosts_by_their_names() -> None:
    text = sentence(settings=[["network", "10.5.0.0/16", "10.6.0.0/16"], ["backend.Type", "vxlan", "host-gw"]])
    assert text.startswith("overlay_network 10.5.0.0/16 -> 10.6.0.0/16, overlay_backend.Type vxlan -> host-gw: ")
    assert "the agents of h1, h2 use it at once" in text


def test_a_host_outside_of_the_inventory_is_named_by_its_address() -> None:
    assert "the agents of h1, 192.0.2.9 use it" in sentence(hosts=["192.0.2.1", "192.0.2.9"])


@pytest.mark.parametrize(
    ("docker_restart", "part"),
    [
        ("auto", "Docker restarts on these hosts, one host at a time"),
        ("needed", "Docker restarts on these hosts, one host at a time"),
        ("never", "until Docker restarts; with docker_restart=never you must restart it yourself"),
    ],
)
def test_another_subnet_cuts_containers_off(docker_restart: str, part: str) -> None:
    text = sentence(docker_restart, moved=IPS)
    assert "h1, h2 lease another subnet, so their running containers lose their addresses and all connectivity" in text
    assert part in text


@pytest.mark.parametrize("effect", ["moved", "new_mtu"])
@pytest.mark.parametrize(
    ("serial", "part"),
    [
        (None, "Docker restarts on these hosts, one host at a time (overlay_serial), also if containers run"),
        (["1"], "Docker restarts on these hosts, one host at a time (overlay_serial), also if containers run"),
        (["1", "50%"], "Docker restarts on these hosts, in batches of overlay_serial (1, 50%), also if containers run"),
    ],
)
def test_the_batches_are_those_of_overlay_serial(effect: str, serial: list[str] | None, part: str) -> None:
    facts = {"settings": [], "hosts": IPS, "moved": [], "new_mtu": [], "losses": [], effect: IPS}
    assert part in overlay_change(facts, HOSTS, "needed", "overlay_", serial)


@pytest.mark.parametrize(
    ("docker_restart", "part"),
    [
        ("auto", "with docker_restart=auto it restarts where no container runs, and stays pending elsewhere"),
        ("needed", "Docker restarts on these hosts, one host at a time"),
        ("never", "with docker_restart=never it does not restart on any host"),
    ],
)
def test_another_mtu_reaches_containers_when_docker_restarts(docker_restart: str, part: str) -> None:
    text = sentence(docker_restart, new_mtu=["192.0.2.2"])
    assert "the MTU changes on h2, and running containers keep addresses and old MTU until Docker restarts" in text
    assert part in text


def test_another_tunnel_restarts_no_docker() -> None:
    text = sentence(settings=[["backend.VNI", "1", "2"]])
    assert text.endswith("containers keep their addresses and their MTU, and Docker does not restart")


def test_what_is_lost_is_part_of_the_message() -> None:
    assert "; packets are lost; containers keep" in sentence(losses=["packets are lost"])
