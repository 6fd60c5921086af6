# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the commands of the extension backend did on this host since it booted, in a file of the state directory.

With it, a restart of overlayd repeats no command, and a peer that left while overlayd was down is removed. After a boot
nothing that the commands did exists any more, so the file of another boot is not used.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model.errors import OverlayError
from ..named_tuple import NamedTuple
from .files import read_text, write_atomically
from .log import log

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FIRST_PROCESS = Path("/proc/1/stat")


class Added(NamedTuple):
    """A peer for which SubnetAddCommand was started; ``done`` if it succeeded.

    ``add`` and ``remove`` are the commands; ``run`` is that of the startup commands that ran before.
    """

    public_ip: str
    data: str
    add: str
    remove: str
    run: str = ""
    done: bool = False


class Startup(NamedTuple):
    """The startup commands that succeeded: PreStartupCommand with its output, and PostStartupCommand.

    ``served`` identifies what PostStartupCommand was run for, and ``run`` is the number of its run.
    """

    command: str = ""
    output: str = ""
    served: str = ""
    run: str = "0"


class ExtensionMemory:
    """The content of the file, for several threads; each change is written at once."""

    def __init__(self, path: Path, any_boot: bool = False) -> None:
        """Read the file; a missing or damaged one, and unless ``any_boot`` one of another boot, is empty."""
        self._path = path
        self._any_boot = any_boot
        self._lock = threading.Lock()
        self._boot = boot()
        self.startup, self.added = self._recall()

    def started(self, **fields: str) -> None:
        """Change fields of the startup commands; raise OverlayError if the file cannot be written."""
        with self._lock:
            self.startup = self.startup._replace(**fields)
            self._write()

    def set(self, subnet: str, added: Added) -> None:
        """Record a peer; raise OverlayError if the file cannot be written."""
        with self._lock:
            self.added = {**self.added, subnet: added}
            self._write()

    def discard(self, subnet: str) -> None:
        """Forget a peer; raise OverlayError if the file cannot be written."""
        with self._lock:
            self.added = {known: added for known, added in self.added.items() if known != subnet}
            self._write()

    def remove(self) -> None:
        """Delete the file; raise OverlayError."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise OverlayError(f"cannot remove {self._path}: {error.strerror}") from error

    def _recall(self) -> tuple[Startup, Mapping[str, Added]]:
        try:
            text = read_text(self._path)
            raw: Any = json.loads(text) if text is not None else {"boot": None}
            if raw["boot"] is None or not (self._any_boot or raw["boot"] == self._boot):
                return Startup(), {}
            added = {str(subnet): Added(**_texts(one)) for subnet, one in raw["added"].items()}
            startup = Startup(**_texts(raw["startup"]))
            int(startup.run)
            return startup, added
        except (OverlayError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("%s is damaged and is not used: %s", self._path, error)
            return Startup(), {}

    def _write(self) -> None:
        added = {subnet: one._asdict() for subnet, one in self.added.items()}
        content = {"boot": self._boot, "startup": self.startup._asdict(), "added": added}
        write_atomically(self._path, json.dumps(content), mode=0o600)


def boot() -> str:
    """Return what identifies this boot of the host: the kernel's boot ID, and the start time of process 1.

    In a container that was started again, the boot ID can be the same: it is that of the machine.
    """
    started = (read_text(FIRST_PROCESS) or "").rpartition(")")[2].split()
    return f"{(read_text(BOOT_ID) or '').strip()} {started[19] if len(started) > 19 else ''}"


def _texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields; raise TypeError if one is neither text nor a boolean."""
    if not all(isinstance(value, (str, bool)) for value in fields.values()):
        raise TypeError("a value is not text")
    return dict(fields)
