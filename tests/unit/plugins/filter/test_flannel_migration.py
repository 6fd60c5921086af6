# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which inventory a fleet of flanneld hosts needs, and what is refused before the first change."""

from __future__ import annotations

from typing import Any

from ansible_collections.clusternet.overlay.plugins.filter.flannel_migration import flannel_migration

SETTINGS = {
    "etcd_endpoints": ["http://h1:2379"], "etcd_prefix": "/atomic.io/network", "etcd_api": "auto", "etcd_cafile": "",
    "etcd_certfile": "", "etcd_keyfile": "", "etcd_username": "", "iface": [], "iface_regex": [], "iface_can_reach": "",
    "public_ip": "", "subnet_file": "/run/flannel/subnet.env", "ip_masq": True, "iptables_forward_rules": True,
    "has_password": False,
}  # fmt: skip
CONFIG = {
    "network": "10.5.0.0/16", "subnet_len": 24, "subnet_min": "10.5.1.0", "subnet_max": "10.5.255.0",
    "backend": {"type": "vxlan", "vni": 1, "port": 8472, "mtu": None, "direct_routing": False},
}  # fmt: skip
NETWORK = {"api": "v2", "config": CONFIG, "problems": []}
GIVEN = {
    "overlay_etcd_endpoints": ["http://h1:2379/"], "overlay_etcd_prefix": "/atomic.io/network", "overlay_ip_masq": True,
    "overlay_network": "10.5.0.0/16", "overlay_etcd_api": "v2", "overlay_subnet_len": 24,
}  # fmt: skip


def host(name: str, given: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """A host that runs flanneld with these settings."""
    flannel = {"installed": True, "settings": {**SETTINGS, **settings}}
    return {"name": name, "flannel": flannel, "agent": False, "given": GIVEN if given is None else given}


def test_an_inventory_that_agrees_has_no_problem() -> None:
    found = flannel_migration([host("h1"), host("h2")], NETWORK)
    assert (found["problems"], found["hosts"], found["host_variables"]) == ([], ["h1", "h2"], {})


def test_the_variables_of_a_new_inventory_are_returned() -> None:
    found = flannel_migration([host("h1", {}, public_ip="192.0.2.1")], NETWORK)
    assert found["variables"] == {
        "overlay_etcd_endpoints": ["http://h1:2379"],
        "overlay_etcd_prefix": "/atomic.io/network",
        "overlay_ip_masq": True,
        "overlay_etcd_api": "v2",
        "overlay_network": "10.5.0.0/16",
        "overlay_subnet_len": 24,
        "overlay_subnet_min": "10.5.1.0",
        "overlay_subnet_max": "10.5.255.0",
        "overlay_backend": {"Type": "vxlan", "VNI": 1, "Port": 8472},
    }
    assert found["host_variables"] == {"h1": {"agent_public_ip": "192.0.2.1"}}
    (problem,) = found["problems"]
    assert problem.startswith(
        "h1: the inventory differs: overlay_etcd_endpoints is not set, and flanneld uses ['http://h1"
    )


def test_hosts_of_different_fleets_are_refused() -> None:
    found = flannel_migration([host("h1"), host("h2", etcd_prefix="/other")], NETWORK)
    assert (
        "flanneld's etcd-prefix differs: /atomic.io/network on h1, /other on h2; set the same value on all hosts"
        in found["problems"]
    )


def test_a_host_without_flanneld_and_agent_is_refused_and_a_migrated_one_is_not() -> None:
    new = {"name": "h3", "flannel": {"installed": False}, "agent": False, "given": GIVEN}
    (problem,) = flannel_migration([host("h1"), new], NETWORK)["problems"]
    assert problem.startswith("h3: neither flanneld.service nor overlayd is installed")
    assert flannel_migration([host("h1"), {**new, "agent": True}], NETWORK)["problems"] == []


def test_a_config_that_cannot_be_read_is_refused_with_the_cause() -> None:
    (problem,) = flannel_migration([host("h1", {})], {"msg": "http://h1:2379: connection refused"})["problems"][:1]
    assert problem.startswith(
        "the network config of flanneld cannot be read from etcd: http://h1:2379: connection refused"
    )


def test_a_missing_password_is_named() -> None:
    (problem,) = flannel_migration([host("h1", has_password=True)], NETWORK)["problems"]
    assert problem == "h1: the inventory differs: overlay_etcd_password is not set, and flanneld uses a password"
