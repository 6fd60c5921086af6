# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which certificates of the connection to etcd expire soon, and what renews them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from .certificate import Certificate
from .endpoints import Member
from .finding import Finding, warning

EXPIRES_SOON = 30 * 86400.0  # seconds; the role etcd renews certificates 60 days before they expire
_RENEW = "run clusternet.overlay.site, which renews certificates of the role etcd; or replace your own certificate"
_RENEW_CA = "run clusternet.overlay.rotate_certificates, which replaces the CA of the role etcd; or replace your own CA"


def expiring_soon(certificates: Iterable[Certificate], members: Iterable[Member], now: float) -> Iterator[Finding]:
    """Yield a finding for each certificate, in a file or of an endpoint, that expires soon and is still valid."""
    for which, expires, cure in expiries(certificates, members):
        if now < expires < now + EXPIRES_SOON:
            yield warning(
                "certificate-expires",
                f"the certificate {which} expires in {(expires - now) / 86400.0:.0f} days, on {date_text(expires)}",
                "it was not renewed; after that TLS connections to etcd fail",
                cure,
            )


def expiries(certificates: Iterable[Certificate], members: Iterable[Member]) -> Iterator[tuple[str, float, str]]:
    """Yield each certificate with its expiry and what to do: those in files, and those of the endpoints."""
    for file in certificates:
        if file.expires is not None:
            yield file.path, file.expires, _RENEW_CA if file.is_ca else _RENEW
    for member in members:
        if member.expires is not None:
            yield f"of {member.endpoint}", member.expires, _RENEW


def date_text(expires: float) -> str:
    """Return a time (seconds since 1970) as a date with hours and minutes."""
    return datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
