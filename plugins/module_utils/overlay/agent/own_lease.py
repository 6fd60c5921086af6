# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a change in etcd means for the lease that this host holds."""

from __future__ import annotations

from ..host.log import log
from ..model.addresses import format_ipv4
from ..model.errors import LeaseError
from ..model.lease import parse_lease
from ..store.protocol import Deleted, Event, Item, Store
from .keeper import HeldLease
from .rivals import claimant_of


def loss(store: Store, held: HeldLease) -> str:
    """Return what happened to the own lease in words, "" if it is unchanged.

    Called after each interruption of the watch: an etcd that was emptied or restored sends no event for the loss, and
    another host could lease the subnet.
    """
    item = store.get(held.item.key)
    if item is None:
        return "is no longer in etcd"
    if item.value == held.item.value:
        return ""
    if challenges(item, held):
        return "was claimed by another host with the same public IP during an interruption of the watch"
    return "was changed during an interruption of the watch"


def challenges(item: Item, held: HeldLease) -> bool:
    """Return whether the item is another host's challenge to the holder of the own lease (see rivals.py)."""
    if item.key != held.item.key or is_known(item, held) or claimant_of(item.value) is None:
        return False
    try:
        return parse_lease(held.lease.key, item.value) == held.lease
    except LeaseError:
        return False


def is_known(item: Item, held: HeldLease) -> bool:
    """Return whether a change of the own lease is this host's last write, or older than it."""
    return item.value == held.item.value or item.revision <= held.item.revision


def reserves_another(name: str | None, item: Item, held: HeldLease) -> bool:
    """Return whether the item is a reservation for this host, which has an ordinary lease of another subnet."""
    if name is None or not item.reservation or held.item.reservation or item.key == held.item.key:
        return False
    try:
        return parse_lease(name, item.value).public_ip == held.lease.public_ip
    except LeaseError:
        return False


def report_loss(event: Event, held: HeldLease) -> None:
    """Log why this host's lease is claimed again, or another subnet is leased."""
    name = held.lease.key
    if isinstance(event, Deleted):
        log.warning("lease %s was deleted or expired; claiming it again", name)
        return
    try:
        other = parse_lease(name, event.item.value)
    except LeaseError as error:
        log.warning("this host's lease was overwritten with an invalid value: %s; writing it again", error)
        return
    if other.public_ip == held.lease.public_ip:
        log.error(
            "another process writes lease %s with this host's public IP %s; stop flanneld if it runs on this host, "
            "or set another --public-ip (agent_public_ip) on the other host that has this address",
            name,
            format_ipv4(other.public_ip),
        )
    else:
        log.error("lease %s is now held by %s; leasing another subnet", name, format_ipv4(other.public_ip))
