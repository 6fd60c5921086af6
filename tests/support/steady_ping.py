# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A ping between containers of different hosts of a lab that runs while playbooks change the fleet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from support.lab_fleet import Fleet

LONGEST = 3600  # seconds after which the ping ends by itself


@contextmanager
def steady_ping(fleet: Fleet, container: str, source: str, target: str) -> Iterator[list[int]]:
    """Send 20 pings a second from the container on one host to the one on another; yield a list.

    After the block the list has the numbers of sent and lost packets.
    """
    address = fleet.container(target, container).split()[1]
    ping = f"ping -q -i 0.05 -w {LONGEST} {address} > /tmp/ping 2>&1; touch /tmp/ended"
    fleet.sh(source, f"docker exec -d {container} sh -c '{ping}'")
    counts: list[int] = []
    try:
        yield counts
    finally:
        fleet.sh(source, f"docker exec {container} sh -c 'kill -INT $(pidof ping)'")
        wait = "for i in $(seq 300); do if [ -e /tmp/ended ]; then break; fi; sleep 0.2; done"
        printed = fleet.sh(source, f"docker exec {container} sh -c '{wait}; cat /tmp/ping; rm /tmp/ended'")
    found = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", printed)
    assert found, printed
    counts += [int(found[1]), int(found[1]) - int(found[2])]
