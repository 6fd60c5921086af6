# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes: packets to the peers through the overlay, and beside it to find out where they are lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence

from ..host.peer_table import readable_leases
from ..kernel.echo import Echo, inside, next_subnets, own_address, ping
from ..model.addresses import Subnet, format_ipv4
from ..model.lease import SubnetLease
from ..model.subnet_env import SubnetEnv
from ..store.protocol import Item
from .facts import Reach
from .setup import Setup
from .view import View, port_of

_DISCARD = 9  # RFC 863; hardly any host listens there
_SO_NO_CHECK = 11  # asm-generic/socket.h: UDP without checksum
_SMALLEST = 576  # bytes that every IPv4 host accepts (RFC 791)
_STEPS = 32  # sizes that are tried at the same time
_WAIT = 1.0  # seconds for an answer


class Peer:
    """A peer to send packets to: its public IP, and its addresses in the overlay."""

    def __init__(self, subnet: Subnet, host: int) -> None:
        self.subnet = subnet
        self.host = format_ipv4(host)
        self.inside = inside(subnet)


def chosen_peers(view: View, count: int) -> list[Peer]:
    """Return up to ``count`` peers whose rows the kernel has: the next ones in the order of subnets, going round."""
    leases = {lease.subnet: lease.public_ip for lease in leases_of(view)}
    known = view.programmed & leases.keys()
    return [Peer(subnet, leases[subnet]) for subnet in next_subnets(view.own, known, count)]


def leases_of(view: View) -> Iterable[SubnetLease]:
    """Return the readable leases in etcd."""
    return readable_leases({name: Item("", value, 0) for name, value in view.table.values.items()})


def source_address(view: View) -> str:
    """Return the address of this host in its own subnet: of Docker's bridge, else of the tunnel device; "" if none."""
    return own_address(view.own)


def probe_peers(view: View, env: SubnetEnv | None, setup: Setup) -> list[Reach]:
    """Return what the probes to the peers found; [] without peers."""
    peers = chosen_peers(view, setup.probes)
    if not peers:
        return []
    source = source_address(view)
    small = ping(
        [Echo(address) for peer in peers for address in peer.inside],
        source,
        enough=lambda known: all(any(Echo(address) in known for address in peer.inside) for peer in peers),
    )
    mtu = env.mtu if env is not None else view.backend.mtu
    answering = {peer.subnet: address for peer in peers for address in peer.inside if Echo(address) in small}
    full = ping([Echo(address, mtu) for address in answering.values()], source)
    silent = [peer for peer in peers if peer.subnet not in answering]
    hosts = ping([Echo(peer.host) for peer in silent])
    found = []
    for peer in peers:
        address = answering.get(peer.subnet)
        if address is None:
            listens = listens_on(peer.host, port_of(view)) if port_of(view) else None
            found.append(Reach(peer.subnet, peer.host, False, host=Echo(peer.host) in hosts, listens=listens))
            continue
        passes = Echo(address, mtu) in full
        largest = 0 if passes else largest_size(address, source, mtu)
        sound = checksum_passes(address, source)
        found.append(Reach(peer.subnet, peer.host, True, passes, largest, checksum=sound, delay=small[Echo(address)]))
    return found


def largest_size(address: str, source: str, mtu: int) -> int:
    """Return the size in bytes of the largest packet that passes unfragmented, at most ``mtu``; 0 if none does."""
    low, high = 0, mtu + 1
    sizes: Sequence[int] = range(_SMALLEST, mtu + 1, max(1, (mtu - _SMALLEST) // _STEPS))
    while sizes:
        passed = [echo.size for echo in ping([Echo(address, size) for size in sizes], source, timeout=_WAIT)]
        low = max([low, *passed])
        high = min([high, *(size for size in sizes if size > low)])
        sizes = range(low + 1, high) if low and high - low <= _STEPS else []
    return low


def listens_on(host: str, port: int) -> bool | None:
    """Return False if the host refuses a packet to a UDP port, because nothing listens; None if it does not answer."""
    return False if _is_refused(host, "", port, checksum=True) else None


def checksum_passes(address: str, source: str) -> bool | None:
    """Return whether a UDP packet with a checksum passes, which the kernel or the network card computes.

    The peer refuses a packet to a port on which nothing listens. None if it refuses no packet at all: a firewall.
    """
    if _is_refused(address, source, _DISCARD, checksum=True):
        return True
    return False if _is_refused(address, source, _DISCARD, checksum=False) else None


def _is_refused(address: str, source: str, port: int, *, checksum: bool) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        if not checksum:
            opened.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
        end = time.monotonic() + _WAIT
        try:
            if source:
                opened.bind((source, 0))
            opened.connect((address, port))
            opened.send(b"overlay?")
            opened.settimeout(max(0.01, end - time.monotonic()))
            opened.recv(1)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
