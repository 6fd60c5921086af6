# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The expiry of certificates: both formats of time, and texts that are no certificate."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.certificate import (
    CertificateError,
    not_after,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def pem(expires: datetime) -> str:
    """A certificate that expires at this time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "h1")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = builder.serial_number(7).not_valid_before(expires - timedelta(days=1)).not_valid_after(expires)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 2126])
def test_the_expiry_is_read_in_both_formats_of_time(year: int) -> None:
    expires = datetime(year, 11, 29, 17, 12, 3, tzinfo=timezone.utc)
    assert not_after("a comment\n" + pem(expires)) == expires.timestamp()


@pytest.mark.parametrize(
    "text", ["", "key", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"]
)
def test_a_text_without_a_certificate_is_refused(text: str) -> None:
    with pytest.raises(CertificateError):
        not_after(text)
