# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The expiries of certificates (RFC 5280, section 4.1), which the standard library does not read from a file."""

from __future__ import annotations

import ssl
from datetime import datetime, timezone
from pathlib import Path

from ..named_tuple import NamedTuple
from ..store.connection import EtcdConnection

_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0
_END = "-----END CERTIFICATE-----"
_BEGIN = "-----BEGIN CERTIFICATE-----"


class CertificateError(ValueError):
    """The text has no certificate, or one that cannot be read."""


class Certificate(NamedTuple):
    """A certificate in a file of this host; ``expires`` in seconds since 1970, or the reason why it cannot be read."""

    path: str
    expires: float | None
    error: str = ""
    is_ca: bool = False


def read_certificates(connection: EtcdConnection) -> list[Certificate]:
    """Return the certificates that this host uses for the connection to etcd: that of the CA, and its own."""
    return [_read(path, path == connection.ca_file) for path in (connection.ca_file, connection.cert_file) if path]


def _read(path: str, is_ca: bool) -> Certificate:
    try:
        return Certificate(path, not_after(Path(path).read_text(encoding="ascii")), is_ca=is_ca)
    except OSError as error:
        return Certificate(path, None, (error.strerror or str(error)).lower(), is_ca)
    except (UnicodeDecodeError, CertificateError):
        return Certificate(path, None, "it is no certificate in PEM format", is_ca)


def not_after(pem: str) -> float:
    """Return the time (seconds since 1970) after which the first certificate in a PEM text is invalid."""
    start, end = pem.find(_BEGIN), pem.find(_END)
    if start < 0 or end < start:
        raise CertificateError("it has no certificate")
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(pem[start : end + len(_END)]))
    except (ValueError, IndexError) as error:
        raise CertificateError(f"its certificate cannot be read: {error}") from None


def _not_after(der: bytes) -> float:
    """Walk to the field validity: after version (optional), serial number, signature algorithm and issuer."""
    start, _end = _content(der, 0)  # Certificate
    position, _end = _content(der, start)  # TBSCertificate
    if der[position] == _VERSION:
        position = _content(der, position)[1]
    for _field in ("serialNumber", "signature", "issuer"):
        position = _content(der, position)[1]
    position, _end = _content(der, position)  # Validity
    position = _content(der, position)[1]  # notBefore
    first, last = _content(der, position)
    return _time(der[position], der[first:last].decode("ascii"))


def _content(der: bytes, position: int) -> tuple[int, int]:
    """Return where the content of an element starts, and where it ends."""
    length, start = der[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    return start, start + length


def _time(kind: int, text: str) -> float:
    if kind == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("unknown kind of time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
