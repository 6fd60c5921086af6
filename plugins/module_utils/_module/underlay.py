# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work of the module underlay_info: the underlay that overlayd would choose, and whether it reaches the other hosts."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..overlay.kernel.netlink.interfaces import link_name, path_to
from ..overlay.kernel.netlink.rtnetlink import Netlink, NetlinkError
from ..overlay.kernel.underlay import NOT_FOUND, choose_underlay
from ..overlay.model.addresses import format_ipv4, parse_ipv4
from ..overlay.model.errors import KernelError
from ..overlay.model.underlay import Underlay

ARP_TABLE = Path("/proc/thread-self/net/arp")
ARP_SECONDS = 2.5  # the kernel sends three ARP requests, one each second
DISCARD_PORT = 9  # RFC 863
_ARP_COMPLETE = 0x2
_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)")


class Choice(NamedTuple):
    """The values of overlayd's flags that choose the underlay."""

    iface: Sequence[str]
    iface_regex: Sequence[str]
    iface_can_reach: str
    public_ip: str


def examine(choice: Choice, peers: Iterable[str]) -> dict[str, Any]:
    """Return interface, address, public_ip and mtu (empty if none can be chosen), and problems as sentences.

    ``peers`` are the public IPs of other hosts. A datagram is sent to each, so that the kernel sends an ARP request.
    """
    try:
        underlay, public_ip = choose_underlay(*choice)
        known = [parse_ipv4(peer) for peer in peers]
    except (KernelError, ValueError) as error:
        problem = _FLAG.sub(lambda flag: flag[1].replace("-", "_"), str(error).replace(NOT_FOUND, "no interface found"))
        return {"interface": "", "address": "", "public_ip": "", "mtu": 0, "problems": [problem]}
    return {
        "interface": underlay.name,
        "address": format_ipv4(underlay.address),
        "public_ip": format_ipv4(public_ip),
        "mtu": underlay.mtu,
        "problems": _unreachable(underlay, known),
    }


def _unreachable(underlay: Underlay, peers: Sequence[int]) -> list[str]:
    """Return a sentence for each peer without a route, with a route by another interface, or without an ARP answer."""
    netlink = Netlink()
    try:
        found = {peer: _route_problem(netlink, underlay, peer) for peer in peers}
    finally:
        netlink.close()
    silent = _unanswered(underlay, [peer for peer, problem in found.items() if problem is None])
    return [problem for problem in found.values() if problem] + [
        f"{format_ipv4(peer)} does not answer ARP requests on interface {underlay.name}" for peer in silent
    ]


def _route_problem(netlink: Netlink, underlay: Underlay, peer: int) -> str | None:
    try:
        path = path_to(netlink, peer, underlay.address)
    except NetlinkError as error:
        return f"no route to {format_ipv4(peer)} from {format_ipv4(underlay.address)}: {error}"
    if path.ifindex == underlay.ifindex:
        return None
    name = link_name(netlink, path.ifindex)
    return f"packets to {format_ipv4(peer)} leave by interface {name}, not by {underlay.name}"


def _unanswered(underlay: Underlay, peers: Sequence[int]) -> list[int]:
    """Return the peers in the interface's own networks that do not answer the kernel's ARP requests."""
    near = [peer for peer in peers if any(network.has(peer) for network in underlay.networks)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((format_ipv4(underlay.address), 0))
        for peer in near:
            try:
                sender.sendto(b"", (format_ipv4(peer), DISCARD_PORT))
            except OSError:  # the host's firewall refuses the datagram: the check is not possible
                near = [other for other in near if other != peer]
    end = time.monotonic() + ARP_SECONDS
    while True:
        pending = _incomplete(underlay.name)
        waiting = [peer for peer in near if format_ipv4(peer) in pending]
        if not waiting or time.monotonic() > end:
            return waiting
        time.sleep(0.05)


def _incomplete(interface: str) -> set[str]:
    """Return the addresses on an interface for which the kernel sent ARP requests without an answer."""
    rows = [line.split() for line in ARP_TABLE.read_text(encoding="ascii").splitlines()[1:]]
    return {row[0] for row in rows if row[-1] == interface and not int(row[2], 16) & _ARP_COMPLETE}
