# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text for a terminal: aligned tables, wrapped sentences, colours. ASCII, so that it works in any locale."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 80  # columns if the output is no terminal
_NARROWEST, _WIDEST = 40, 120
_LEAST = 20  # columns for the last cell of a table
_COLOURS = {"error": "31", "warning": "33", "note": "36", "ok": "32", "bold": "1"}


def show(text: str, end: str = "\n") -> None:
    """Write a line to standard output at once, so that a reader of a pipe gets it."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def remark(sentence: str) -> None:
    """Write a sentence to standard error, so that standard output has the result only."""
    sys.stderr.write(f"overlayctl: {sentence}\n")


def memory_words(age: float) -> str:
    """Return what is used instead of etcd: the leases in overlayd's memory file."""
    return f"etcd cannot be read; the leases are those that overlayd stored on this host {duration(age)} ago"


def width() -> int:
    """Return the number of columns to use."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((WIDTH, 24)).columns))


def coloured(text: str, colour: str) -> str:
    """Return the text in a colour, on a terminal only; NO_COLOR in the environment disables colours."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def wrapped(label: str, text: str, indent: int) -> str:
    """Return a text after a label, wrapped; the lines begin at the same column. Commands are never broken in words."""
    start = label.ljust(indent)
    return textwrap.fill(
        text,
        width(),
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns; the last column is wrapped if the terminal is too narrow.

    If the other columns leave no room for it, each row becomes a block with a line for each cell.
    """
    rows = list(rows)
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    start = sum(widths[:-1]) + 2 * (len(header) - 1)
    if start + max(len(line[-1]) for line in lines) > width() and start > width() - _LEAST:
        return [line for row in rows for line in _block(header, row)]
    shown = []
    for line in lines:
        text = "  ".join(cell.ljust(size) for cell, size in zip(line[:-1], widths))
        if start + len(line[-1]) <= width():
            shown.append(f"{text}  {line[-1]}".rstrip())
        else:
            shown.append(wrapped(f"{text}  ", line[-1], start))
    return shown


def _block(header: Sequence[str], row: Sequence[str]) -> list[str]:
    """Return a row of a table as lines: its first cell, then the others after the names of their columns."""
    indent = max(map(len, header)) + 4
    named = [(f"  {name}", cell) for name, cell in zip(header[1:], row[1:]) if cell]
    return [row[0], *(wrapped(name, cell, indent) for name, cell in named)]


def duration(seconds: float) -> str:
    """Return a time span in its two largest units, such as 23h56, 4m10s or 12s."""
    whole = int(seconds)
    if whole >= 86400:
        return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}"
    return f"{whole // 60}m{whole % 60:02}s" if whole >= 60 else f"{whole}s"
