# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall rules with both variants of iptables, and their effect on packets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.kernel.firewall.rules import Firewall
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.errors import KernelError
from support.firewall_host import NETWORK, contents, firewall, iptables, rules, use
from support.netns import Lan, Namespace

MASQUERADING = [
    "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN",
    "-A FLANNEL-POSTRTG -s 10.50.1.0/24 -d 10.50.0.0/16 -j RETURN",
    "-A FLANNEL-POSTRTG -s 10.50.0.0/16 -d 10.50.1.0/24 -j RETURN",
    "-A FLANNEL-POSTRTG ! -s 10.50.0.0/16 -d 10.50.1.0/24 -j RETURN",
    "-A FLANNEL-POSTRTG -s 10.50.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully",
    "-A FLANNEL-POSTRTG ! -s 10.50.0.0/16 -d 10.50.0.0/16 -j MASQUERADE --random-fully",
]
FORWARDING = ["-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT", "-A FLANNEL-FWD -d 10.50.0.0/16 -j ACCEPT"]


def test_the_chains_hold_flannels_rules_in_flannels_order(host: Namespace) -> None:
    host.run(firewall().apply)
    assert rules(host, "POSTROUTING", "FLANNEL-POSTRTG") == ["-A POSTROUTING -j FLANNEL-POSTRTG", *MASQUERADING]
    assert rules(host, "FORWARD", "FLANNEL-FWD") == ["-A FORWARD -j FLANNEL-FWD", *FORWARDING]


def test_a_second_run_finds_nothing_to_do(host: Namespace) -> None:
    planned = host.run(firewall().plan)
    assert planned[0] == "iptables -t nat -N FLANNEL-POSTRTG"
    assert host.run(firewall().apply) == planned
    assert host.run(firewall().plan) == []
    assert host.run(firewall().apply) == []


def test_a_plan_changes_nothing(host: Namespace) -> None:
    assert host.run(firewall().plan) != []
    assert rules(host) == []


def test_the_planned_commands_typed_by_hand_do_the_same(host: Namespace) -> None:
    for command in host.run(firewall().plan):
        host.command(*command.split())
    assert host.run(firewall().plan) == []


def test_ports_are_not_randomised_where_that_is_disabled(host: Namespace) -> None:
    host.run(firewall(random=False).apply)
    assert not any("--random-fully" in rule for rule in rules(host))
    assert host.run(firewall(random=False).plan) == []


def test_no_masquerading_means_no_nat_rule(host: Namespace) -> None:
    host.run(firewall(ip_masq=False).apply)
    assert rules(host, "POSTROUTING", "FLANNEL-POSTRTG") == []
    assert rules(host, "FLANNEL-FWD") == FORWARDING


def test_rules_of_a_disabled_option_are_removed(host: Namespace) -> None:
    host.run(firewall().apply)
    host.run(firewall(ip_masq=False, forward=False).apply)
    assert rules(host) == []
    assert "FLANNEL" not in host.command("iptables-save")


def test_the_rules_of_a_new_subnet_replace_those_of_the_old_subnet(host: Namespace) -> None:
    host.run(firewall().apply)
    host.run(firewall(own="10.50.2.0/24").apply)
    assert rules(host, "FLANNEL-POSTRTG") == [rule.replace("10.50.1.0", "10.50.2.0") for rule in MASQUERADING]


@pytest.mark.parametrize(
    "damage",
    [
        ["-A FORWARD -j FLANNEL-FWD"],
        ["-A FORWARD -j FLANNEL-FWD", "-A FORWARD -j FLANNEL-FWD"],
        ["-t nat -I POSTROUTING -j FLANNEL-POSTRTG"],
        ["-t nat -D POSTROUTING -j FLANNEL-POSTRTG"],
        ["-F FLANNEL-FWD"],
        ["-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT"],
        ["-D FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT", "-A FLANNEL-FWD -s 10.50.0.0/16 -j ACCEPT"],
        ["-t nat -D FLANNEL-POSTRTG 2"],
        ["-I FORWARD 1 -j DROP"],
        ["-F FORWARD"],
        ["-F", "-X", "-t nat -F", "-t nat -X"],
    ],
    ids="; ".join,
)
def test_damaged_rules_are_noticed_and_repaired(host: Namespace, damage: list[str]) -> None:
    host.run(firewall().apply)
    iptables(host, *damage)
    assert host.run(firewall().plan) != []
    host.run(firewall().apply)
    assert rules(host, "FLANNEL-POSTRTG") == MASQUERADING
    assert rules(host, "FLANNEL-FWD") == FORWARDING
    for hook in ("-A POSTROUTING -j FLANNEL-POSTRTG", "-A FORWARD -j FLANNEL-FWD"):
        assert rules(host).count(hook) == 1
    assert host.run(firewall().plan) == []


def test_the_chains_of_a_former_flannel_are_not_changed(host: Namespace) -> None:
    iptables(host, "-N FLANNEL-FWD", "-t nat -N FLANNEL-POSTRTG")
    for rule in FORWARDING:
        words = rule.split()
        host.command("iptables", *words[:-2], "-m", "comment", "--comment", "flanneld forward", *words[-2:])
    for rule in MASQUERADING:
        host.command("iptables", "-t", "nat", *rule.split(), "-m", "comment", "--comment", "flanneld masq")
    comment = ["-m", "comment", "--comment", "flanneld: -j REJECT"]
    host.command("iptables", "-A", "FORWARD", *comment, "-j", "FLANNEL-FWD")
    host.command("iptables", "-t", "nat", "-A", "POSTROUTING", *comment, "-j", "FLANNEL-POSTRTG")
    assert host.run(firewall().plan) == []


def test_the_hook_comes_after_the_administrators_rules_and_before_a_final_refusal(host: Namespace) -> None:
    iptables(host, "-A FORWARD -s 10.50.9.9 -j DROP", "-A FORWARD -j REJECT")
    host.run(firewall().apply)
    assert [rule.split()[-1] for rule in rules(host, "FORWARD")][:2] == ["DROP", "FLANNEL-FWD"]
    assert host.run(firewall().plan) == []


def test_a_refusal_in_a_chain_that_every_packet_enters_is_final_too(host: Namespace) -> None:
    iptables(host, "-N SITE", "-A SITE -p tcp -j ACCEPT", "-A SITE -j DROP", "-A FORWARD -j SITE")
    host.run(firewall().apply)
    assert rules(host, "FORWARD") == ["-A FORWARD -j FLANNEL-FWD", "-A FORWARD -j SITE"]


def test_traffic_within_the_overlay_is_accepted_in_dockers_chain_once_docker_made_it(host: Namespace) -> None:
    host.run(firewall().apply)
    iptables(host, "-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-I FORWARD -j DOCKER-USER")
    host.run(firewall().apply)
    hook = "-A DOCKER-USER -s 10.50.0.0/16 -d 10.50.0.0/16 -j OVERLAY-DOCKER"
    assert rules(host, "DOCKER-USER") == [hook, "-A DOCKER-USER -j RETURN"]
    assert host.run(firewall().plan) == []


def test_removal_leaves_every_other_rule_as_it_was(host: Namespace) -> None:
    iptables(
        host, "-N DOCKER-USER", "-I FORWARD -j DOCKER-USER", "-P FORWARD DROP", "-A FORWARD -s 10.9.0.0/16 -j DROP"
    )
    iptables(host, "-t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE")
    host.command("iptables", "-A", "INPUT", "-m", "comment", "--comment", 'see "FLANNEL-FWD" -j X', "-j", "ACCEPT")
    before = contents(host)
    host.run(firewall().apply)
    iptables(host, "-A INPUT -s 192.0.2.1 -j FLANNEL-FWD")
    assert host.run(Firewall.remove) != []
    assert contents(host) == before
    assert host.run(Firewall.remove) == []


def test_a_refused_change_leaves_its_table_as_it_was(host: Namespace) -> None:
    iptables(host, "-N FLANNEL-FWD", "-A FLANNEL-FWD -s 192.0.2.1 -j ACCEPT")
    before = contents(host)
    wrong = Firewall(Subnet(NETWORK.first, 99), Subnet.parse("10.50.1.0/24"), ip_masq=False, forward_rules=True)
    with pytest.raises(
        KernelError, match=r"iptables-restore failed: .*\(-A FLANNEL-FWD -s 10\.50\.0\.0/99 -j ACCEPT\)"
    ):
        host.run(wrong.apply)
    assert contents(host) == before


def test_without_iptables_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match=r"iptables(-save)? is not installed.*install the package iptables"):
        firewall().plan()


def test_without_iptables_a_host_without_rules_has_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert firewall(ip_masq=False, forward=False).apply() == []
    assert Firewall.remove() == []


def test_a_table_that_iptables_cannot_show_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, tmp_path, "nft")
    with contextlib.closing(Namespace()) as host:
        iptables(host, "-A FORWARD -s 192.0.2.1 -j ACCEPT")
        host.command("nft", "add rule ip filter FORWARD fib daddr type local drop")
        with pytest.raises(KernelError, match=r"cannot read its table filter.*nft list table ip filter"):
            host.run(firewall().plan)


# --- packets ---


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Lan, list[Namespace]]]:
    """Two hosts that forward, Docker's FORWARD policy, a container on each, routes between; a third machine outside."""
    use(monkeypatch, tmp_path, "nft")
    lan, containers = Lan(3), []
    for number, host in enumerate(lan.hosts[:2], start=1):
        container = Namespace()
        containers.append(container)
        host.command("ip", "link", "add", "c0", "type", "veth", "peer", "name", "eth0", "netns", str(container.tid))
        host.command("ip", "address", "add", f"10.50.{number}.1/24", "dev", "c0")
        host.command("ip", "link", "set", "c0", "up")
        container.command("ip", "address", "add", f"10.50.{number}.2/24", "dev", "eth0")
        container.command("ip", "link", "set", "eth0", "up")
        container.command("ip", "route", "add", "default", "via", f"10.50.{number}.1")
        other = 3 - number
        host.command("ip", "route", "add", f"10.50.{other}.0/24", "via", lan.addresses[other - 1])
        host.setting("net/ipv4/ip_forward", "1")
        iptables(host, "-P FORWARD DROP")
    lan.hosts[2].command("ip", "route", "add", "10.50.1.0/24", "via", lan.addresses[0])
    yield lan, containers
    for container in containers:
        container.close()
    lan.close()


def source_seen(sender: Namespace, receiver: Namespace, address: str) -> str | None:
    """Send datagrams until one arrives, and return the source it arrived with; None when none does within a second."""
    with receiver.run(datagram_socket) as server, sender.run(datagram_socket) as client:
        server.bind((address, 0))
        server.settimeout(0.2)
        for _attempt in range(5):
            client.sendto(b"who am I", server.getsockname())
            with contextlib.suppress(TimeoutError):
                source: str = server.recvfrom(64)[1][0]
                return source
    return None


def datagram_socket() -> socket.socket:
    """A socket in the namespace of the calling thread."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def test_containers_reach_each_other_only_with_the_rules(fleet: tuple[Lan, list[Namespace]]) -> None:
    lan, (one, two) = fleet
    assert source_seen(one, two, "10.50.2.2") is None
    for number, host in enumerate(lan.hosts[:2], start=1):
        host.run(firewall(own=f"10.50.{number}.0/24").apply)
    assert source_seen(one, two, "10.50.2.2") == "10.50.1.2"
    assert source_seen(two, one, "10.50.1.2") == "10.50.2.2"
    for host in lan.hosts[:2]:
        host.run(Firewall.remove)
    assert source_seen(one, two, "10.50.2.2") is None


def test_only_packets_that_leave_the_overlay_are_masqueraded(fleet: tuple[Lan, list[Namespace]]) -> None:
    lan, (one, two) = fleet
    outside = lan.hosts[2]
    lan.hosts[0].run(firewall().apply)
    lan.hosts[1].run(firewall(own="10.50.2.0/24").apply)
    assert source_seen(one, outside, lan.addresses[2]) == lan.addresses[0]
    assert source_seen(outside, one, "10.50.1.2") == lan.addresses[2]
    outside.command("ip", "route", "add", "10.50.2.0/24", "via", lan.addresses[0])
    assert source_seen(outside, two, "10.50.2.2") == lan.addresses[0]


def test_without_masquerading_a_container_is_seen_as_itself_outside(fleet: tuple[Lan, list[Namespace]]) -> None:
    lan, (one, _unused) = fleet
    lan.hosts[0].run(firewall(ip_masq=False).apply)
    assert source_seen(one, lan.hosts[2], lan.addresses[2]) == "10.50.1.2"


def test_a_packet_with_the_mark_of_kubernetes_keeps_its_source(fleet: tuple[Lan, list[Namespace]]) -> None:
    lan, (one, _unused) = fleet
    lan.hosts[0].run(firewall().apply)
    iptables(lan.hosts[0], "-t mangle -A PREROUTING -j MARK --set-mark 0x4000")
    assert source_seen(one, lan.hosts[2], lan.addresses[2]) == "10.50.1.2"
