# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's log: one line for each message on standard error, where systemd's journal reads it.

The standard library's logging would cost a sixth of the processor time of a start.
"""

from __future__ import annotations

import sys
from contextlib import suppress

DEBUG, INFO, WARNING, ERROR = range(4)
_NAMES = ("DEBUG", "INFO", "WARNING", "ERROR")


class Log:
    """Writes messages of a level and above; ``values`` fill the placeholders of ``text``, as in logging."""

    def __init__(self) -> None:
        self.level = WARNING  # the daemon lowers it; the modules that share its code have output of their own

    def debug(self, text: str, *values: object) -> None:
        """Write what only somebody who debugs wants to read."""
        self._write(DEBUG, text, values)

    def info(self, text: str, *values: object) -> None:
        """Write what happens when all is well."""
        self._write(INFO, text, values)

    def warning(self, text: str, *values: object) -> None:
        """Write what may be wrong."""
        self._write(WARNING, text, values)

    def error(self, text: str, *values: object) -> None:
        """Write what is wrong."""
        self._write(ERROR, text, values)

    def exception(self, text: str, *values: object) -> None:
        """Write an error, and after it the traceback of the exception that is being handled."""
        from traceback import format_exc  # for defects only

        self._write(ERROR, f"{text}\n%s", (*values, format_exc().rstrip()))

    def _write(self, level: int, text: str, values: tuple[object, ...]) -> None:
        if level >= self.level:
            with suppress(OSError, ValueError):  # a log that cannot be written must not end the daemon
                sys.stderr.write(f"{_NAMES[level]} {text % values if values else text}\n")
                sys.stderr.flush()


log = Log()
