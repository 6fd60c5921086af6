# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data path process of the udp backend on this host: started, replaced by a new version, removed."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from ..model.backends.udp import UDP
from ..model.errors import NotYetError, OverlayError
from ..patience import PATIENCE
from ..udp import protocol
from .companion import START_LIMIT, Companion
from .files import read_text, write_atomically
from .log import log

_PACKAGE = Path(__file__).resolve().parent.parent
_PROGRAM = '''"""The data path process of the udp backend; overlayd writes this file."""

import sys

sys.path.insert(0, {folder!r})

from {package}.udp.service import main

main({state!r}, any_source={any_source})
'''
_PAUSE = 0.01


class UdpProcess:
    """The process, with its files in overlayd's state folder."""

    def __init__(self, folder: Path, any_source: bool = False) -> None:
        """Use this state folder; ``any_source``: packets are accepted from hosts without a lease, too."""
        self._program = folder / "udp.py"
        self._state = folder / "udp.state"
        self._any_source = any_source
        self._companion = Companion(
            UDP,
            folder,
            (sys.executable, "-I", "-S", str(self._program)),
            (
                "RestartPreventExitStatus=" + str(protocol.STOPPED),
                "Nice=-10",
                "CPUWeight=1000",
                "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
                "NoNewPrivileges=yes",
                "ProtectSystem=strict",
                "ProtectHome=yes",
                "PrivateTmp=yes",
                "DevicePolicy=closed",
                "DeviceAllow=/dev/net/tun rw",
                "RestrictAddressFamilies=AF_UNIX AF_INET",
                "RestrictNamespaces=yes",
                "ProtectKernelModules=yes",
                "ProtectKernelTunables=yes",
                "ProtectControlGroups=yes",
                "LockPersonality=yes",
                "MemoryDenyWriteExecute=yes",
                "SystemCallFilter=@system-service",
                "SystemCallErrorNumber=EPERM",
                "UMask=0077",
                f"ReadWritePaths={folder}",
            ),
        )

    def renew(self) -> None:
        """Replace the process if it runs with another version of its code."""
        if self._companion.pid is not None:
            try:
                self.ensure()
            except OverlayError as error:
                log.warning("%s", error)

    def ensure(self) -> None:
        """Start the process unless it runs, or let it become the present version; raise OverlayError."""
        # The release that this overlayd was loaded from: the link to the current one may already lead to the next.
        program = _PROGRAM.format(
            folder=str(_PACKAGE.parent), package=_PACKAGE.name, state=str(self._state), any_source=self._any_source
        )
        if read_text(self._program) != program:
            write_atomically(self._program, program, 0o600)
        if self._companion.ensure():
            _wait_for_version(None)
            return
        version = protocol.code_version(self._program)
        found = protocol.status()
        if found is None:  # it was killed, because it did not answer, or another ``ensure`` has just started it
            self._companion.ensure()
            _wait_for_version(None)
        elif found.get("version") != version:
            log.info("replacing the data path process of the udp backend by its new version")
            with contextlib.suppress(protocol.ControlError):
                protocol.request(protocol.HAND_OVER)
            _wait_for_version(version)

    def remove(self) -> None:
        """Stop the process and remove its files."""
        self._companion.stop()
        for file in (self._program, self._state, self._state.with_suffix(".new")):
            file.unlink(missing_ok=True)


def _wait_for_version(version: int | None) -> None:
    """Wait until the process answers, with this version unless it is None; raise NotYetError."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and not PATIENCE.is_over:
        found = protocol.status()
        if found is not None and version in (None, found.get("version")):
            return
        PATIENCE.pause(_PAUSE)
    raise NotYetError(
        f"process {UDP}, the data path of the udp backend, does not answer yet; see the log of unit "
        f"overlayd-udp.service, or without systemd that of overlayd"
    )
