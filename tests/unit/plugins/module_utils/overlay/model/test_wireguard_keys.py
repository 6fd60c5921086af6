# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard's keys: public keys as `wg pubkey` computes them, and texts that are no key."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.model.wireguard_keys import (
    NO_KEY,
    clamped,
    format_key,
    parse_key,
    public_key,
)

PAIRS = [  # wg genkey, wg pubkey
    ("UIvMKJeqGWu75zejhTPINLSnkeSc1JunUdqltPnaQ0Q=", "1t1vDMkpyD9vV/3PdzKorBJnY96C+FFhSWVyFNTd028="),
    ("YHZZBeBeRj5dLKfi4u1yMS0Lcd0RrjpD+b7psa86Fls=", "10ngLzbNmF2HX135EGz8aD78ul+9wqZ+W823e68mTkI="),
    ("mIGUnagoKcrt6+xS+FwXjPkJ0tHkRvuyC+MRdsOWMGg=", "wgVgBgSEKuecnb9cC7h9gIBLM+1meh3oaq3VrgURiU0="),
]


@pytest.mark.parametrize(("private", "public"), PAIRS)
def test_a_public_key_is_that_of_wg_pubkey(private: str, public: str) -> None:
    assert format_key(public_key(parse_key(private))) == public


def test_a_private_key_is_clamped_once_and_for_all() -> None:
    key = clamped(bytes([0xFF] * 32))
    assert (key[0], key[31]) == (0xF8, 0x7F)
    assert clamped(key) == key
    assert public_key(bytes([0xFF] * 32)) == public_key(key)
    assert clamped(NO_KEY)[31] == 0x40


@pytest.mark.parametrize(
    "text", [None, 7, "", "abc", "A" * 44, "A" * 42 + "==", "é" * 43 + "=", "A B" + "A" * 40 + "="]
)
def test_other_text_is_no_key_and_the_error_does_not_contain_it(text: object) -> None:
    with pytest.raises(ValueError, match="it ") as caught:
        parse_key(text)
    assert not text or str(text) not in str(caught.value)
