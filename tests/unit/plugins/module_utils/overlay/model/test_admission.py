# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The admitted ones of overlapping subnets: the same by single changes and by a full comparison."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.addresses import Subnet
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.admission import Admission, SubnetOrder
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.network import NetworkConfig

CONFIG = NetworkConfig.parse('{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}')
LENGTHS = [19, 20, 22, 23, 24, 24, 24, 25, 26, 28]


def subnets(*texts: str) -> list[Subnet]:
    return [Subnet.parse(text) for text in texts]


def rivals(*texts: str) -> dict[str, str]:
    admission = Admission(CONFIG)
    admission.update([], subnets(*texts))
    return {str(subnet): str(rival) for subnet, rival in admission.rivals.items()}


def judged_whole(present: Iterable[Subnet]) -> dict[Subnet, Subnet]:
    """Return the rivals by a full comparison: first the fitting subnets, then the odd ones in order."""
    kept = sorted(subnet for subnet in present if CONFIG.fits(subnet))
    left_out: dict[Subnet, Subnet] = {}
    for subnet in sorted(subnet for subnet in present if not CONFIG.fits(subnet)):
        rival = next((other for other in kept if other.overlaps(subnet)), None)
        if rival is None:
            kept.append(subnet)
        else:
            left_out[subnet] = rival
    return left_out


def test_an_odd_subnet_is_admitted_unless_it_overlaps_a_fitting_one() -> None:
    assert rivals("10.5.7.0/24", "10.5.7.128/25", "10.5.4.0/22", "10.5.9.0/25") == {
        "10.5.7.128/25": "10.5.7.0/24",
        "10.5.4.0/22": "10.5.7.0/24",
    }


def test_of_two_odd_subnets_that_overlap_the_wider_is_admitted() -> None:
    assert rivals("10.5.9.0/25", "10.5.8.0/22") == {"10.5.9.0/25": "10.5.8.0/22"}


def test_an_odd_subnet_is_admitted_when_the_wider_one_around_it_is_removed() -> None:
    admission = Admission(CONFIG)
    wide, inner, fitting = subnets("10.5.8.0/22", "10.5.9.0/25", "10.5.10.0/24")
    admission.update([], [wide, inner])
    assert admission.rivals == {inner: wide}
    assert admission.update([], [fitting]) == {wide, inner}
    assert admission.rivals == {wide: fitting}
    assert admission.update([fitting], []) == {wide, inner}
    assert admission.rivals == {inner: wide}
    assert admission.update([wide], []) == {inner}
    assert admission.rivals == {}


def test_a_change_far_away_concerns_no_other_subnet() -> None:
    admission = Admission(CONFIG)
    admission.update([], [Subnet.of(CONFIG.network.first + (number << 9), 23) for number in range(100)])
    assert admission.update([], subnets("10.5.250.0/24")) == set()
    assert admission.update([], subnets("10.5.252.0/23")) == set(subnets("10.5.252.0/23"))


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_changes_has_the_result_of_a_full_comparison(seed: int) -> None:
    draw = random.Random(seed)
    admission, present = Admission(CONFIG), set[Subnet]()
    before: dict[Subnet, Subnet] = {}
    for _step in range(150):
        some = range(draw.choice([1, 1, 1, 2, 5, 70]))
        drawn = {Subnet.of(CONFIG.network.first + draw.randrange(1 << 13), draw.choice(LENGTHS)) for _one in some}
        gone, come = drawn & present, drawn - present
        present = (present - gone) | come
        concerned = admission.update(sorted(gone), sorted(come))
        after = judged_whole(present)
        assert admission.rivals == after
        assert {one for one in present - come if before.get(one) != after.get(one)} <= concerned
        before = after


def test_a_set_of_subnets_is_sorted_and_finds_wider_and_narrower_subnets() -> None:
    order = SubnetOrder()
    order.update([], subnets("10.5.8.0/24", "10.5.8.0/22", "10.5.9.128/25", "10.5.12.0/24", "10.5.0.0/17"))
    assert list(order) == subnets("10.5.0.0/17", "10.5.8.0/22", "10.5.8.0/24", "10.5.9.128/25", "10.5.12.0/24")
    assert list(order.around(Subnet.parse("10.5.9.0/24"))) == subnets("10.5.0.0/17", "10.5.8.0/22")
    assert list(order.within(Subnet.parse("10.5.8.0/22"))) == subnets("10.5.8.0/24", "10.5.9.128/25")
    order.update(subnets("10.5.8.0/22"), [])
    assert list(order.around(Subnet.parse("10.5.9.0/24"))) == subnets("10.5.0.0/17")
    assert Subnet.parse("10.5.8.0/22") not in order
