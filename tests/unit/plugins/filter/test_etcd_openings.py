# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which addresses reach which port of an etcd member, as rules of ufw and firewalld."""

from __future__ import annotations

from ansible_collections.clusternet.overlay.plugins.filter.etcd_openings import etcd_openings

FLEET = [{"name": "a", "address": "192.0.2.1"}, {"name": "b", "address": "192.0.2.2"}]


def ports(allowed_clients: list[str]) -> list[tuple[str, str]]:
    """Address and port of each opening, with member a."""
    words = [opening["ufw"].split() for opening in etcd_openings(FLEET, ["a"], allowed_clients, 2379, 2380)]
    return [(rule[3], rule[7]) for rule in words]


def test_members_reach_both_ports_and_the_others_the_client_port() -> None:
    assert ports([]) == [("192.0.2.1", "2379"), ("192.0.2.2", "2379"), ("192.0.2.1", "2380")]


def test_allowed_clients_replace_the_fleet_but_not_the_members() -> None:
    assert ports(["198.51.100.7"]) == [("198.51.100.7", "2379"), ("192.0.2.1", "2379"), ("192.0.2.1", "2380")]


def test_a_rule_has_the_text_of_each_firewall() -> None:
    (opening,) = etcd_openings([{"name": "c", "address": "2001:db8::1"}], [], [], "2379", "2380")
    assert opening["ufw"] == "ufw allow from 2001:db8::1 to any port 2379 proto tcp"
    assert opening["firewalld"] == (
        'rule family="ipv6" source address="2001:db8::1" port port="2379" protocol="tcp" accept'
    )
