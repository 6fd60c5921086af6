# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which texts are a source address of a firewall rule."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.filter.overlay_sources import overlay_source_problems


def test_addresses_and_prefixes_are_sources() -> None:
    assert overlay_source_problems(["192.0.2.5", "192.0.2.5/32", "192.0.2.0/24", "10.0.0.0/8", "128.0.0.0/1"]) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "web1", "192.0.2", "192.0.2.5/24", "0.0.0.0/0", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/255.255.255.0"),
        *("2001:db8::1", "192.0.2.1,192.0.2.2", "192.0.2.0/024", " 192.0.2.1", "192.0.2.0/²"),
    ],
)
def test_another_text_is_no_source(text: str) -> None:
    assert overlay_source_problems(["192.0.2.5", text]) == [text]
