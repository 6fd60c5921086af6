# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generic netlink: requests to a family of the kernel that is found by its name (linux/genetlink.h)."""

from __future__ import annotations

import errno
import struct

from ...model.errors import KernelError
from .codec import attribute, attributes, message
from .constants import (
    CTRL_ATTR_FAMILY_ID,
    CTRL_ATTR_FAMILY_NAME,
    CTRL_CMD_GETFAMILY,
    GENL_ID_CTRL,
    NETLINK_GENERIC,
)
from .rtnetlink import KernelRefusal, Netlink, NetlinkError

_HEADER = struct.Struct("=BBxx")  # struct genlmsghdr: command, version
_CTRL_VERSION = 2


class Generic:
    """A socket for one family."""

    def __init__(self, family: str, version: int) -> None:
        """Find the family; raise KernelError if the kernel does not have it."""
        self._netlink = Netlink(protocol=NETLINK_GENERIC)
        self._version = version
        name = attribute(CTRL_ATTR_FAMILY_NAME, family.encode() + bytes(1))
        try:
            body = _HEADER.pack(CTRL_CMD_GETFAMILY, _CTRL_VERSION) + name
            self._family = self._netlink.ask(GENL_ID_CTRL, body, _read_family)
        except NetlinkError as error:
            self.close()
            if error.errno == errno.ENOENT:
                raise KernelError(f"the kernel has no generic netlink family {family}") from None
            raise

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()

    def request(self, command: int, body: bytes) -> KernelRefusal | None:
        """Send a command; return why the kernel refused it, None for success."""
        whole = message(0, self._family, 0, _HEADER.pack(command, self._version) + body)
        return self._netlink.execute([whole]).get(0)

    def dump(self, command: int, body: bytes) -> list[bytes]:
        """Return the attributes of each message of a dump."""
        return self._netlink.dump(self._family, _HEADER.pack(command, self._version) + body, _read_body)


def _read_family(buffer: bytes, start: int, end: int) -> int:
    found = attributes(buffer, start + _HEADER.size, end)
    return int(struct.unpack("=H", found[CTRL_ATTR_FAMILY_ID])[0])


def _read_body(buffer: bytes, start: int, end: int) -> bytes:
    return buffer[start + _HEADER.size : end]
