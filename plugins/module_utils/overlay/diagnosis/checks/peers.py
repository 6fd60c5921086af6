# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the probes to the peers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..facts import Facts, Reach
from ..finding import Finding, error, warning
from ..view import port_of
from .agent import NOT_RUNNING
from .kernel import FORMER

_LOCAL = (
    *FORMER, *NOT_RUNNING, "device", "drift", "route-conflict", "forwarding", "reverse-path", "firewall-rules",
    "firewall-drop", "mac-conflict", "underlay", "mtu",
)  # fmt: skip
_SHOWN = 3


def _silent(facts: Facts) -> list[Reach]:
    return [one for one in facts.reach if not one.overlay]


def _named(peers: Iterable[Reach]) -> str:
    texts = [f"{one.host_address} ({one.subnet})" for one in peers]
    return ", ".join(texts[:_SHOWN]) + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")


def down(facts: Facts) -> Iterator[Finding]:
    """Every peer's host answers."""
    found = [one for one in _silent(facts) if not one.host and one.listens is not False]
    if found:
        yield warning(
            "peer-down",
            f"{len(found)} of {len(facts.reach)} peers answer neither through the overlay nor by their public IP: "
            f"{_named(found)}",
            "the host is down or was removed, or the network between passes no packets. Its lease remains for a day",
            "start the host, or check the network between; if it never comes back: subnet_lease with state=absent "
            f"public_ip={found[0].host_address}",
            _LOCAL,
        )


def not_listening(facts: Facts) -> Iterator[Finding]:
    """The tunnel's UDP port is open on every peer."""
    found = [one for one in _silent(facts) if one.listens is False]
    if found:
        yield error(
            "peer-not-listening",
            f"nothing listens on UDP port {_port(facts)} of {_named(found)}: the host refuses the packets",
            "the tunnel device does not exist there: overlayd was removed, or uses another port or backend",
            "on that host: overlayctl doctor; systemctl restart overlayd",
            _LOCAL,
        )


def blocked(facts: Facts) -> Iterator[Finding]:
    """Packets pass in both directions."""
    found = [one for one in _silent(facts) if one.host and one.listens is not False]
    if not found:
        return
    port = _port(facts)
    what = f"UDP port {port}" if port else "the packets of the overlay"
    yield error(
        "path-blocked",
        f"no packet passes through the overlay to {_named(found)}, although the host answers by its public IP",
        f"a firewall on one of the hosts or between them drops {what}, in one direction or in both; or the other host "
        f"has no routes to this one",
        f"open {what} between the hosts in both directions (agent_firewall: true and clusternet.overlay.site open it "
        f"in ufw and firewalld); then run overlayctl doctor on the other host",
        _LOCAL,
    )


def path_mtu(facts: Facts) -> Iterator[Finding]:
    """Full-sized packets pass."""
    found = [one for one in facts.reach if one.full is False]
    if found:
        largest = min(one.largest for one in found)
        overhead = _overhead(facts)
        size = f"; the largest that passes has {largest} bytes" if largest else ""
        yield error(
            "path-mtu",
            f"small packets pass to {_named(found)}, but full-sized ones are lost{size}",
            "the network between the hosts has a smaller MTU than the underlay interface",
            f"set MTU: {largest + overhead} in overlay_backend and run clusternet.overlay.site with "
            f"-e overlay_change_confirm=true; or raise the MTU of the network"
            if largest
            else "raise the MTU of the network between the hosts",
            _LOCAL,
        )


def checksum(facts: Facts) -> Iterator[Finding]:
    """UDP packets with a checksum pass."""
    found = [one for one in facts.reach if one.checksum is False]
    if found:
        device = facts.view.backend.device if facts.view is not None else None
        name = device.name if device is not None else facts.view.underlay.name if facts.view is not None else ""
        yield error(
            "checksum-offload",
            f"UDP packets with a checksum are lost to {_named(found)}, while those without one pass",
            "a network card or driver computes wrong checksums for packets in the tunnel",
            f"ethtool -K {name} tx-checksum-ip-generic off",
            _LOCAL,
        )


def _port(facts: Facts) -> int:
    return port_of(facts.view) if facts.view is not None else 0


def _overhead(facts: Facts) -> int:
    """Return by how many bytes the MTU of containers is smaller than that of the underlay."""
    if facts.view is None or facts.env is None:
        return 0
    backend = facts.view.config.backend
    configured = getattr(backend, "mtu", None) or facts.view.underlay.mtu
    return max(0, int(configured) - facts.view.backend.mtu)
