# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts of a small fleet, each with the bridge its containers would be on, and an overlay end on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.firewall_host import use
from support.netns import Lan, Namespace
from support.overlay_end import End


@pytest.fixture(params=[None, False], ids=["next hops", "plain routes"])
def next_hops(request: pytest.FixtureRequest) -> bool | None:
    """How routes are carried: as the kernel can, and as an old kernel would."""
    chosen: bool | None = request.param
    return chosen


@pytest.fixture
def fleet(next_hops: bool | None) -> Iterator[Callable[..., list[End]]]:
    """Make hosts of one backend on one switch; called with how many and the Backend object's keys."""
    made: list[tuple[Lan, list[End]]] = []

    def make(count: int, **backend: Any) -> list[End]:
        lan = Lan(count)
        ends: list[End] = []
        made.append((lan, ends))
        for number, (host, address) in enumerate(zip(lan.hosts, lan.addresses), 1):
            ends.append(End(host, number, address, next_hops, **backend))
        return ends

    yield make
    for lan, ends in made:
        for end in ends:
            end.close()
        lan.close()


@pytest.fixture(params=["nft", "legacy"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Namespace]:
    """A host with no rules, for each variant of iptables."""
    use(monkeypatch, tmp_path, request.param)
    namespace = Namespace()
    yield namespace
    namespace.close()
