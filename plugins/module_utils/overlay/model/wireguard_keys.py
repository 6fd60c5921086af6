# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard's keys: their text form, and the public key of a private key (X25519, RFC 7748)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

KEY_SIZE = 32  # bytes
KEY_TEXT = 44  # characters in base64, the last one is "="
NO_KEY = bytes(KEY_SIZE)
_PRIME = 2**255 - 19
_A24 = 121665  # (486662 - 2) / 4 of Curve25519
_BITS = 255


def parse_key(text: Any) -> bytes:
    """Return the bytes of a key in base64, as `wg genkey` prints it; raise ValueError, without the text, for others."""
    if not isinstance(text, str):
        raise ValueError("it is not text")
    if len(text) != KEY_TEXT:
        raise ValueError(f"it has {len(text)} characters instead of {KEY_TEXT}")
    try:
        key = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("it is not base64") from None
    if len(key) != KEY_SIZE:
        raise ValueError(f"it has {len(key)} bytes instead of {KEY_SIZE}")
    return key


def format_key(key: bytes) -> str:
    """Return a key in base64, as in leases and in the output of `wg`."""
    return base64.b64encode(key).decode()


def clamped(random: bytes) -> bytes:
    """Return the private key that 32 random bytes make (RFC 7748, section 5)."""
    first, last = random[0] & 248, random[31] & 127 | 64
    return bytes([first]) + random[1:31] + bytes([last])


def public_key(private: bytes) -> bytes:
    """Return the public key of a private key: a Montgomery ladder from the base point 9 (RFC 7748, section 5)."""
    scalar = int.from_bytes(clamped(private), "little")
    base = 9
    x2, z2, x3, z3 = 1, 0, base, 1
    for position in reversed(range(_BITS)):
        bit = scalar >> position & 1
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        plus, minus = x2 + z2, x2 - z2
        plus_square, minus_square = plus * plus % _PRIME, minus * minus % _PRIME
        difference = plus_square - minus_square
        one, other = (x3 - z3) * plus % _PRIME, (x3 + z3) * minus % _PRIME
        x3, z3 = (one + other) ** 2 % _PRIME, base * (one - other) ** 2 % _PRIME
        x2 = plus_square * minus_square % _PRIME
        z2 = difference * (plus_square + _A24 * difference) % _PRIME
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, _PRIME - 2, _PRIME) % _PRIME).to_bytes(KEY_SIZE, "little")
