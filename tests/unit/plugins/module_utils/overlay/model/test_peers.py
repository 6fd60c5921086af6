# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which leases are routed to: never one that is unsound, never two that overlap, never one that diverts another."""

from __future__ import annotations

import random

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet, parse_ipv4
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.lease import SubnetLease
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.peers import sound_peers

CONFIG = NetworkConfig.parse('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}')
OWN = Subnet.parse("10.5.1.0/24")


def lease(subnet: str, address: str = "192.0.2.7") -> SubnetLease:
    return SubnetLease(Subnet.parse(subnet), parse_ipv4(address))


def test_every_sound_lease_of_another_host_is_a_peer_and_the_own_is_not() -> None:
    one, two = lease("10.5.7.0/24"), lease("10.5.8.0/24", "192.0.2.8")
    peers, problems = sound_peers([lease("10.5.1.0/24"), two, one], CONFIG, OWN)
    assert peers == {one.subnet: one, two.subnet: two}
    assert problems == {}


def test_an_unsound_lease_is_left_out_with_its_reason() -> None:
    bad = lease("10.5.7.0/24", "127.0.0.1")
    peers, problems = sound_peers([bad, lease("0.0.0.0/0")], CONFIG, OWN)
    assert peers == {}
    assert problems[bad.subnet] == "lease 10.5.7.0-24: PublicIP 127.0.0.1 is not the address of a host"
    assert "is not a part of Network 10.5.0.0/16" in problems[Subnet.parse("0.0.0.0/0")]


def test_a_lease_that_overlaps_the_own_subnet_is_left_out() -> None:
    peers, problems = sound_peers([lease("10.5.0.0/23"), lease("10.5.1.128/25")], CONFIG, OWN)
    assert peers == {}
    assert set(problems.values()) == {
        "lease 10.5.0.0-23: overlaps this host's own subnet 10.5.1.0/24",
        "lease 10.5.1.128-25: overlaps this host's own subnet 10.5.1.0/24",
    }


def test_a_lease_of_another_length_is_a_peer_unless_it_overlaps_one_of_the_right_length() -> None:
    right, half, wide, apart = (lease(text) for text in ("10.5.7.0/24", "10.5.7.128/25", "10.5.4.0/22", "10.5.9.0/25"))
    peers, problems = sound_peers([wide, half, apart, right], CONFIG, OWN)
    assert set(peers) == {right.subnet, apart.subnet}
    assert problems == {
        half.subnet: "lease 10.5.7.128-25: overlaps lease 10.5.7.0/24, which is kept",
        wide.subnet: "lease 10.5.4.0-22: overlaps lease 10.5.7.0/24, which is kept",
    }


def test_of_two_leases_of_other_lengths_that_overlap_the_lower_is_kept() -> None:
    wide, inner = lease("10.5.8.0/22"), lease("10.5.9.0/25")
    peers, problems = sound_peers([inner, wide], CONFIG, OWN)
    assert set(peers) == {wide.subnet}
    assert problems == {inner.subnet: "lease 10.5.9.0-25: overlaps lease 10.5.8.0/22, which is kept"}


def test_whatever_stands_in_etcd_peers_never_overlap_and_nobody_is_forgotten() -> None:
    draw = random.Random(7)
    for _attempt in range(300):
        subnets = {
            Subnet.of(CONFIG.network.first + draw.randrange(1 << 13), draw.choice([20, 22, 23, 24, 24, 24, 25, 26]))
            for _attempt in range(draw.randrange(25))
        }
        leases = [SubnetLease(subnet, parse_ipv4("192.0.2.7")) for subnet in subnets]
        draw.shuffle(leases)
        peers, problems = sound_peers(leases, CONFIG, OWN)
        ordered = sorted(peers)
        assert not any(one.overlaps(two) for one, two in zip(ordered, ordered[1:]))
        assert not any(peer.overlaps(OWN) for peer in peers)
        assert peers.keys() | problems.keys() == subnets - {OWN}
        assert not peers.keys() & problems.keys()
        assert all(subnet in peers for subnet in subnets if CONFIG.fits(subnet) and not subnet.overlaps(OWN))
