# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page /metrics of overlayd, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from ..model.addresses import Subnet
from .options import VERSION
from .status import BUCKETS, Probe, Status

_COUNTERS = {  # each one is on the page from the start, so that its rate is right from the first event on
    "etcd_interruptions": "times that etcd could not be used any more",
    "firewall_repairs": "firewall rules that were added or restored",
    "kernel_failures": "changes that the kernel refused",
    "kernel_operations": "changes of the kernel",
    "kernel_step_failures": "changes that the kernel refused, by kind",
    "kernel_steps": "changes of the kernel, by kind",
    "lease_renewals": "renewals of the own lease",
    "peer_changes": "peers that were added, changed or removed",
    "reconcile_seconds": "seconds spent in full reconciliations",
    "reconciliations": "full reconciliations",
    "repairs": "rows of the kernel that another program changed and overlayd restored",
}
_BY_KIND = ("kernel_step_failures", "kernel_steps", "peer_changes", "repairs")


def page(status: Status) -> str:
    """Return the page for the present state."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Status) -> Iterator[str]:
    yield from _gauge("build_info", "version of overlayd", 1, f'{{version="{VERSION}"}}')
    yield from _gauge("start_time_seconds", "start of the process, in seconds since 1970", round(status.started, 3))
    yield from _gauge("ready", "1 while /readyz answers 200", int(status.works))
    yield from _gauge("etcd_up", "1 while etcd can be used", int(not status.troubles.get("etcd")))
    yield from _gauge("peers", "other hosts with a usable lease", status.peers)
    yield from _head("problems", "problems, by part", "gauge")
    for part, found in sorted(status.troubles.items()):
        yield f'overlay_problems{{part="{part}"}} {len(found)}'
    now = time.monotonic()
    for name, text, due in (
        ("lease_renewal_seconds", "seconds until the own lease is renewed", status.lease_renew_at),
        ("lease_remaining_seconds", "seconds until the own lease expires without a renewal", status.lease_expires_at),
    ):
        if due is not None:
            yield from _gauge(name, text, round(max(0.0, due - now)))
    yield from _head("etcd_request_errors_total", "requests without an answer from etcd", "counter")
    yield f"overlay_etcd_request_errors_total {status.failed_requests}"
    rejected = len(status.troubles.get("leases", ()))
    yield from _gauge("leases_rejected", "leases that cannot be used", rejected)
    yield from _counters(status)
    for name, text, durations in (
        ("event_duration_seconds", "seconds from a batch of changed leases to the kernel", status.events),
        ("reconcile_duration_seconds", "seconds of a full reconciliation", status.reconciliations),
        ("etcd_request_duration_seconds", "seconds of a request to an endpoint of etcd", status.requests),
    ):
        yield from _head(name, text, "histogram")
        count = 0
        for bucket, number in zip((*map(str, BUCKETS), "+Inf"), durations.counts):
            count += number
            yield f'overlay_{name}_bucket{{le="{bucket}"}} {count}'
        yield f"overlay_{name}_sum {_exact(durations.sum)}"
        yield f"overlay_{name}_count {count}"
    yield from _probes(status.probes)


def _probes(probes: Mapping[Subnet, Probe]) -> Iterator[str]:
    """Yield the packets to peers; there are no values unless probing is switched on."""
    for name, text, kind, field in (
        ("probe_packets_total", "packets that were sent to a peer through the overlay", "counter", "sent"),
        ("probe_lost_total", "packets to a peer without an answer", "counter", "lost"),
        ("probe_delay_seconds", "seconds from the last answered packet to its answer", "gauge", "delay"),
    ):
        yield from _head(name, text, kind)
        for subnet, probe in probes.items():
            value = getattr(probe, field)
            if value is not None:
                yield f'overlay_{name}{{peer="{subnet}"}} {_exact(value)}'


def _exact(value: float) -> str:
    """Return a number with all digits of a counter: with six of them, a counter above a million rises in jumps."""
    return f"{value:.15g}"


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP overlay_{name} {text}", f"# TYPE overlay_{name} {kind}"


def _gauge(name: str, text: str, value: float, labels: str = "") -> tuple[str, ...]:
    return *_head(name, text, "gauge"), f"overlay_{name}{labels} {value}"


def _counters(status: Status) -> Iterator[str]:
    """Yield each counter; those by kind have one line for each kind that was counted."""
    by_name: dict[str, list[tuple[str, float]]] = {name: [] for name in _COUNTERS}
    for (name, kind), value in sorted(status.counters.items()):
        by_name[name].append((f'{{kind="{kind}"}}' if kind else "", value))
    for name, values in by_name.items():
        yield from _head(f"{name}_total", _COUNTERS[name], "counter")
        for labels, value in values or ([] if name in _BY_KIND else [("", 0.0)]):
            yield f"overlay_{name}_total{labels} {_exact(value)}"
