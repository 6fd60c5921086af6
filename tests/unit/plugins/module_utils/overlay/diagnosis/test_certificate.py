# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The expiry of certificates: both formats of time, and texts that are no certificate."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.diagnosis.certificate import (
    CertificateError,
    not_after,
)

# Self-signed certificates that expire on 29 November, 17:12:03 UTC: before 2050 as UTCTime, later as GeneralizedTime.
BY_YEAR = {
    2026: """\
-----BEGIN CERTIFICATE-----
MIHsMIGToAMCAQICAQcwCgYIKoZIzj0EAwIwADAeFw0yMDAxMDEwMDAwMDBaFw0y
NjExMjkxNzEyMDNaMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATmW4UOWkQ3
DQHk6Iy/jOiUvfYP5z9ZWIWkpBtfzGrhv0VEnD4C+KxEe2KYYk3IqyP9B4MOBGjb
z0sB+S9XTGakMAoGCCqGSM49BAMCA0gAMEUCIFQN8XSWeXqNyKIPkxch/Epm3gHY
wrvTw7uxfm19GdJXAiEAz3EKZHNO1KgLIyjrgEqYDo2T1YolHKfhH0u/tVXGx1Y=
-----END CERTIFICATE-----
""",
    2126: """\
-----BEGIN CERTIFICATE-----
MIHvMIGVoAMCAQICAQcwCgYIKoZIzj0EAwIwADAgFw0yMDAxMDEwMDAwMDBaGA8y
MTI2MTEyOTE3MTIwM1owADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKNMgHSL
jxnNZKVb8sett+BfT1DQMB8f1Rsg4bhMkWO8IPzYsWPtNnFxpPS5atgXSQH5xBcJ
bDbFiRcI496DglowCgYIKoZIzj0EAwIDSQAwRgIhAOC1gfBn5jXxtotAgdSCxa3O
dWHQifKajq/l086O1YmVAiEAoYaneeXvQ4L67a6Go95IsFGnm9pK3RGc0G0QjtrD
ZB0=
-----END CERTIFICATE-----
""",
}


@pytest.mark.parametrize("year", BY_YEAR)
def test_the_expiry_is_read_in_both_formats_of_time(year: int) -> None:
    expires = datetime(year, 11, 29, 17, 12, 3, tzinfo=timezone.utc)
    assert not_after("a comment\n" + BY_YEAR[year]) == expires.timestamp()


@pytest.mark.parametrize(
    "text", ["", "key", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"]
)
def test_a_text_without_a_certificate_is_refused(text: str) -> None:
    with pytest.raises(CertificateError):
        not_after(text)
