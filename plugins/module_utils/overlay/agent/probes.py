# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes: now and then a packet through the overlay to some peers, for /metrics. Off by default."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from ..host.log import log
from ..kernel.echo import Echo, inside, next_subnets, own_address, ping
from ..model.addresses import Subnet
from ..model.errors import OverlayError
from .status import Probe, Status

ANSWER = 1.0  # seconds after which a packet counts as lost


def start(status: Status, interval: float, most: int) -> None:
    """Start the thread that sends a packet to up to ``most`` peers every ``interval`` seconds."""
    status.subnets = ()
    threading.Thread(target=_run, args=(status, interval, most), name="probes", daemon=True).start()


def _run(status: Status, interval: float, most: int) -> None:
    places: dict[Subnet, str] = {}
    reported = ""
    while True:
        time.sleep(interval)
        if not status.ready:
            continue
        own = Subnet.parse(status.subnet)
        peers = next_subnets(own, status.subnets or (), most)
        try:
            delays = measure(own, peers, places)
        except (OSError, OverlayError) as error:
            if str(error) != reported:  # the status belongs to the main loop
                reported = str(error)
                log.warning("probes: packets to peers cannot be sent: %s; --probe-interval 0 switches them off", error)
            continue
        status.probes = counted(status.probes, peers, delays)


def measure(own: Subnet, peers: list[Subnet], places: dict[Subnet, str]) -> dict[Subnet, float]:
    """Send one packet to each peer; return the delays of those that answered, in seconds.

    ``places`` remembers which address of a peer answered; until then both of its addresses are tried.
    """
    tried = {peer: (places[peer],) if peer in places else inside(peer) for peer in peers}
    answers = ping([Echo(one) for each in tried.values() for one in each], own_address(own), tries=1, timeout=ANSWER)
    places.clear()
    for peer, known in tried.items():
        answering = [one for one in known if Echo(one) in answers]
        if answering:
            places[peer] = answering[0]
    return {peer: answers[Echo(place)] for peer, place in places.items()}


def counted(before: Mapping[Subnet, Probe], peers: list[Subnet], delays: Mapping[Subnet, float]) -> dict[Subnet, Probe]:
    """Return the numbers after one packet to each of these peers; those of former peers are dropped."""
    known = {peer: before.get(peer, Probe()) for peer in peers}
    return {
        peer: Probe(probe.sent + 1, probe.lost + (peer not in delays), delays.get(peer))
        for peer, probe in known.items()
    }
