# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's log: one line on standard error for each message, for systemd's journal.

The standard library's logging is not used: its import takes a sixth of the processor time of a start.
"""

from __future__ import annotations

import sys
from contextlib import suppress

DEBUG, INFO, WARNING, ERROR = range(4)
_NAMES = ("DEBUG", "INFO", "WARNING", "ERROR")


class Log:
    """A log of messages of a level and above; ``values`` replace the placeholders of ``text``, as in logging."""

    def __init__(self) -> None:
        self.level = WARNING  # the daemon sets a lower one; the Ansible modules have their own output

    def debug(self, text: str, *values: object) -> None:
        """Write a message for debugging."""
        self._write(DEBUG, text, values)

    def info(self, text: str, *values: object) -> None:
        """Write a message about normal operation."""
        self._write(INFO, text, values)

    def warning(self, text: str, *values: object) -> None:
        """Write a message about a possible problem."""
        self._write(WARNING, text, values)

    def error(self, text: str, *values: object) -> None:
        """Write a message about a problem."""
        self._write(ERROR, text, values)

    def exception(self, text: str, *values: object) -> None:
        """Write an error with the traceback of the current exception."""
        from traceback import format_exc  # needed for defects only

        self._write(ERROR, f"{text}\n%s", (*values, format_exc().rstrip()))

    def _write(self, level: int, text: str, values: tuple[object, ...]) -> None:
        if level >= self.level:
            with suppress(OSError, ValueError):  # a failed write must not end the daemon
                sys.stderr.write(f"{_NAMES[level]} {text % values if values else text}\n")
                sys.stderr.flush()


log = Log()
