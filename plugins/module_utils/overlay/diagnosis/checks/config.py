# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the network config, and of this host under it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...store.errors import ConfigMissingError
from ..facts import Facts
from ..finding import Finding, error


def missing(facts: Facts) -> Iterator[Finding]:
    """The prefix has a network config."""
    if isinstance(facts.config_error, ConfigMissingError):
        yield error(
            "config-missing",
            str(facts.config_error).partition("; ")[0],
            "it was never written, was deleted, or is in the store of the other etcd API or at another prefix"
            + _hint(str(facts.config_error)),
            "run clusternet.overlay.site, which writes it; or correct overlay_etcd_api and overlay_etcd_prefix",
        )


def _hint(text: str) -> str:
    return ": the other store has it" if "store, but the" in text or "one exists at" in text else ""


def invalid(facts: Facts) -> Iterator[Finding]:
    """The network config is valid."""
    if facts.config_error is not None and not isinstance(facts.config_error, ConfigMissingError):
        yield error(
            "config-invalid",
            f"the network config is refused: {facts.config_error}",
            "it was written by hand or by another program. Running agents keep the last valid config",
            "correct overlay_network or overlay_backend and run clusternet.overlay.site, which writes it again",
        )


def overlap(facts: Facts) -> Iterator[Finding]:
    """The overlay network overlaps no network of this host."""
    for text in facts.overlaps:
        yield error(
            "network-overlap",
            text.partition("; ")[0],
            "an address or a route was added to this host, or the network was chosen without knowing of it",
            "ip route; remove that route or address, or choose another overlay_network (with overlay_change_confirm)",
        )


def refused(facts: Facts) -> Iterator[Finding]:
    """This host can take part in the network."""
    if facts.join_error:
        yield error(
            "join-refused",
            f"overlayd cannot take part in the network: {facts.join_error}",
            "the network config does not fit this host",
            "correct the setting in this message, and run clusternet.overlay.site",
        )
