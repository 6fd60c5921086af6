# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of etcd as this host reaches it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...store.errors import AuthenticationError, UnreachableError
from ..endpoints import Member
from ..expiry import date_text, expiries, expiring_soon
from ..facts import Facts
from ..finding import Finding, error, warning

CLOCK_DIFFERENCE = 60.0  # seconds; TLS and the order of log lines do not need more precision
_TLS_WORDS = ("certificate", "TLS")
UNREACHABLE = ("underlay", "certificate-expired", "certificate-unreadable", "etcd-tls")


def certificates(facts: Facts) -> Iterator[Finding]:
    """The certificates in files of this host can be read, and neither they nor those of the endpoints have expired."""
    for one in facts.certificates:
        if one.expires is None:
            yield error(
                "certificate-unreadable",
                f"the certificate file {one.path} cannot be used: {one.error}",
                "the file was removed or replaced, so overlayd cannot connect to etcd at its next start",
                "run clusternet.overlay.site, which writes the file again; or correct agent_etcd_ca_file and "
                "agent_etcd_cert_file",
                UNREACHABLE,
            )
    for which, expires, cure in expiries(facts.certificates, facts.members):
        if expires <= facts.now:
            yield error(
                "certificate-expired",
                f"the certificate {which} expired on {date_text(expires)}",
                "it was not renewed; TLS connections to etcd fail",
                cure,
            )


def expiring(facts: Facts) -> Iterator[Finding]:
    """No certificate expires soon."""
    return expiring_soon(facts.certificates, facts.members, facts.now)


def tls(facts: Facts) -> Iterator[Finding]:
    """TLS with the endpoints works."""
    failed = _failed(facts)
    wrong = {endpoint: reason for endpoint, reason in failed.items() if any(word in reason for word in _TLS_WORDS)}
    if wrong:
        yield error(
            "etcd-tls",
            f"TLS to etcd fails: {_listed(wrong)}",
            "the CA file, the client certificate, or the name or the scheme in the endpoint does not fit etcd",
            "correct overlay_etcd_endpoints or the agent_etcd_*_file variables, and run clusternet.overlay.site",
            ("certificate-expired", "certificate-unreadable"),
        )


def unreachable(facts: Facts) -> Iterator[Finding]:
    """At least one endpoint can be reached."""
    failed = _failed(facts)
    if failed and isinstance(facts.etcd_error, UnreachableError):
        yield error(
            "etcd-unreachable",
            f"no etcd endpoint can be reached: {_listed(failed)}",
            _why(failed),
            "systemctl start etcd on the hosts of the endpoints; if it runs there, open its client port (2379/tcp) to "
            "this host, or correct overlay_etcd_endpoints and run clusternet.overlay.site",
            UNREACHABLE,
        )


def _why(failed: dict[str, str]) -> str:
    reasons = " ".join(failed.values())
    if "refused" in reasons:
        return "etcd does not run there, or listens on another address or port"
    if "resolved" in reasons:
        return "the name is not known to this host's resolver"
    if "unreachable" in reasons or "no route" in reasons:
        return "this host has no route to the endpoint"
    return "the host is down, or a firewall drops the packets. Packets to known hosts still pass meanwhile"


def one_endpoint(facts: Facts) -> Iterator[Finding]:
    """Every endpoint answers, as long as one does."""
    silent = [one for one in facts.members if one.problem is not None]
    if facts.etcd_error is None and silent:
        listed = _listed({one.endpoint: one.problem or "" for one in silent})
        yield warning(
            "etcd-endpoint",
            f"{len(silent)} of {len(facts.members)} etcd endpoints cannot be used: {listed}",
            "that member is down or has no quorum. The overlay works while a quorum of the members runs",
            "systemctl start etcd on that host; or remove the endpoint from overlay_etcd_endpoints and run "
            "clusternet.overlay.site",
            ("certificate-expired", "etcd-tls"),
        )


def authentication(facts: Facts) -> Iterator[Finding]:
    """etcd accepts the user and the password."""
    if isinstance(facts.etcd_error, AuthenticationError):
        yield error(
            "etcd-authentication",
            f"etcd refuses the agent: {facts.etcd_error}",
            "user or password are wrong or missing, or the user has no permission for the prefix",
            "set overlay_etcd_username and overlay_etcd_password and run clusternet.overlay.site",
        )


def other_error(facts: Facts) -> Iterator[Finding]:
    """The keys can be read."""
    if facts.etcd_error is not None and not isinstance(facts.etcd_error, (UnreachableError, AuthenticationError)):
        yield error(
            "etcd-read",
            f"etcd cannot be read: {facts.etcd_error}",
            "the API (v2 or v3), the prefix or the files of the connection do not fit the etcd there",
            "correct overlay_etcd_api, overlay_etcd_prefix or overlay_etcd_endpoints and run clusternet.overlay.site",
            UNREACHABLE,
        )


def clock(facts: Facts) -> Iterator[Finding]:
    """This host and the endpoints have the same time."""
    known = [one for one in facts.members if one.ahead is not None]
    far = [one for one in known if abs(one.ahead or 0.0) > CLOCK_DIFFERENCE]
    if not far:
        return
    which = "this host's clock" if len(far) == len(known) else f"the clock of {', '.join(_names(far))}"
    yield warning(
        "clock",
        f"{which} is wrong: it differs by {abs(far[0].ahead or 0.0):.0f} seconds from {_names(far)[0]}"
        if len(far) == len(known)
        else f"{which} is wrong: it differs by {abs(far[0].ahead or 0.0):.0f} seconds from this host and the others",
        "no time synchronization runs, or its server cannot be reached. Certificates may be refused as expired",
        "timedatectl set-ntp true",
    )


def _names(members: list[Member]) -> list[str]:
    return [one.endpoint for one in members]


def _failed(facts: Facts) -> dict[str, str]:
    """Return the reason by endpoint, of the members' own answers and of the operation that failed."""
    failed = {one.endpoint: one.problem for one in facts.members if one.problem}
    if isinstance(facts.etcd_error, UnreachableError):
        failed = {**failed, **{name: text for name, text in facts.etcd_error.reasons.items() if name not in failed}}
    return failed


def _listed(reasons: dict[str, str]) -> str:
    return "; ".join(f"{endpoint}: {reason}" for endpoint, reason in reasons.items())
