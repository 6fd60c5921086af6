# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The agent keeps its firewall rules exactly once, restores deleted ones, and removes those of disabled options."""

from __future__ import annotations

from support.agent_fleet import Fleet
from support.agent_host import HEALTH, Host, until
from support.agent_network import Network

OFTEN = "--iptables-resync=1"


def test_rules_exist_exactly_once_after_restarts_and_are_restored_when_deleted(host: Host, network: Network) -> None:
    network.configure()
    host.namespace.command("iptables", "-P", "FORWARD", "DROP")
    host.join("--ip-masq", OFTEN)
    rules = host.own_rules()
    assert rules.count("-A FORWARD -j FLANNEL-FWD") == 1
    assert rules.count("-A POSTROUTING -j FLANNEL-POSTRTG") == 1
    assert sum(rule.startswith("-A FLANNEL-FWD ") for rule in rules) == 2
    assert sum(rule.startswith("-A FLANNEL-POSTRTG ") for rule in rules) == 6
    host.stop()
    assert host.own_rules() == rules
    repairs = host.said("firewall: ")
    host.join("--ip-masq", OFTEN)
    assert host.said("firewall: ") == repairs
    damages = [
        ["-D", "FORWARD", "-j", "FLANNEL-FWD"],
        ["-A", "FORWARD", "-j", "FLANNEL-FWD"],
        ["-F", "FLANNEL-FWD"],
        ["-t", "nat", "-D", "FLANNEL-POSTRTG", "3"],
        ["-t", "nat", "-F"],
    ]
    for damage in damages:
        repairs = host.said("firewall: ")
        host.namespace.command("iptables", *damage)
        host.wait_said("firewall: ", repairs + 1)
        assert host.own_rules() == rules, damage


def test_rules_that_an_option_turned_off_are_removed(host: Host, network: Network) -> None:
    network.configure()
    before = host.own_rules()
    host.join("--ip-masq")
    host.stop()
    host.join("--iptables-forward-rules=false")
    until(lambda: "FLANNEL" not in host.rules(), "no rules")
    assert host.own_rules() == before


def test_without_iptables_the_overlay_works_and_the_missing_program_is_reported(host: Host, network: Network) -> None:
    network.configure()
    network.lease("10.50.201.0/24", "192.0.2.201", "0e:00:00:00:00:c9")
    host.join(*HEALTH, environment={"PATH": "/nowhere"})
    assert "10.50.201.0/24" in host.routes()
    host.wait_said("iptables-save is not installed, but firewall rules require it; install the package iptables")
    assert host.http("/readyz")[0] == 503
    assert host.said("iptables-save is not installed") == 1


def test_with_a_forward_policy_of_drop_containers_reach_each_other_and_the_outside(
    fleet: Fleet, network: Network
) -> None:
    network.configure()
    hosts = fleet(2)
    for host in hosts:
        host.namespace.command("iptables", "-P", "FORWARD", "DROP")
        host.start("--ip-masq")
    for host in hosts:
        host.wait_ready()
    one, other = fleet.containers()
    until(lambda: one.reaches(other), "packets through")
    # The switch knows no way back to a container: only a masqueraded packet is answered.
    assert one.ping("192.0.2.1")
