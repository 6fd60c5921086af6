# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of a command that runs without a shell."""

from __future__ import annotations

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.host.commands import split

VARIABLES = {"SUBNET": "10.5.7.0/24", "PUBLIC_IP": "192.0.2.7", "EVIL": "a; rm -r / $(x)", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ip route add $SUBNET via $PUBLIC_IP", ["ip", "route", "add", "10.5.7.0/24", "via", "192.0.2.7"]),
        ("ip  route\tadd ${SUBNET} ", ["ip", "route", "add", "10.5.7.0/24"]),
        ("run x$PUBLIC_IP.y", ["run", "x192.0.2.7.y"]),
        ("run '$SUBNET' \"$SUBNET\"", ["run", "$SUBNET", "10.5.7.0/24"]),
        ('run "a b"c "\\"\\$x" a\\ b', ["run", "a bc", '"$x', "a b"]),
        ("run $EVIL", ["run", "a; rm -r / $(x)"]),
        ("run '' $EMPTY", ["run", "", ""]),
        ("run a=b 'x;y'", ["run", "a=b", "x;y"]),
    ],
)
def test_a_command_is_split_into_words(text: str, words: list[str]) -> None:
    assert split(text, VARIABLES) == words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a; b", "';' has a meaning only in a shell"),
        ("a && b", "'&' has a meaning only in a shell"),
        ("a | b", "'|' has a meaning only in a shell"),
        ("a > b", "'>' has a meaning only in a shell"),
        ("a `b`", "'`' has a meaning only in a shell"),
        ("a $(b)", r"'\$' has a meaning only in a shell"),
        ('a "$(b)"', r"'\$' has a meaning only in a shell"),
        ("a *", r"'\*' has a meaning only in a shell"),
        ("a\nb", r"'\\n' has a meaning only in a shell"),
        ("a 'b", "the quote ' is not closed"),
        ("a $UNKNOWN", r"variable \$UNKNOWN is not set"),
        ("A=1 b", "'A=1' sets a variable"),
        ("   ", "the command is empty"),
    ],
)
def test_text_that_needs_a_shell_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        split(text, VARIABLES)
