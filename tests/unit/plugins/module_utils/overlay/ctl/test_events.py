# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each line of overlayd's log has an event with a stable name, which the documentation lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.ctl.events import (
    EVENTS,
    OTHER,
    PROBLEM,
    WARNING,
    event_of,
)
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.ctl.log import entry_of

DOCUMENT = Path(__file__).resolve().parents[6] / "docs/overlayctl.md"


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("INFO peer added: 10.5.7.0/24 at 192.0.2.7 (vxlan)", "peer-added"),
        ("INFO peers: 210 added, 3 removed; the first: peer added: 10.5.7.0/24 at 192.0.2.7 (vxlan)", "peers-changed"),
        ("INFO repaired: route 10.5.7.0/24 via 10.5.7.0 dev flannel.1 onlink was missing", "repaired"),
        ("WARNING lease 10.5.7.0-24 was deleted or expired; claiming it again", "lease-claimed-again"),
        ("INFO etcd: resolved", "resolved"),
        ("ERROR no etcd endpoint can be used", "problem"),
        ("WARNING memory file x is damaged and is not used: y", "warning"),
        ("INFO another host was faster: x; choosing again", "other"),
        ("Traceback", "other"),
    ],
)
def test_a_line_has_the_event_of_its_words_or_of_its_level(message: str, event: str) -> None:
    assert entry_of({"MESSAGE": message})["event"] == event


def test_an_error_with_the_words_of_an_event_in_the_middle_is_a_problem() -> None:
    assert event_of("ERROR", "kernel: peer added: no") == PROBLEM


def test_the_documentation_lists_all_events() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## log\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert documented == [*(name for name, _pattern in EVENTS), PROBLEM, WARNING, OTHER]
