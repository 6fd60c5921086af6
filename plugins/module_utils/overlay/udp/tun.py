# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The TUN device: an interface whose packets a process reads and writes (linux/if_tun.h)."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct

DEVICE_FILE = "/dev/net/tun"
QUEUE = 2000  # packets that wait in the device while the process is busy, or is replaced by its next version
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOFFLOAD, _TUNSETVNETHDRSZ = 0x400454CA, 0x400454CB, 0x400454D0, 0x400454D8
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCSIFTXQLEN = 0x8913, 0x8914, 0x8922, 0x8943
_IFF_UP = 1
VNET_HEADER = 10  # bytes: struct virtio_net_hdr before each packet
_REQUEST = struct.Struct("=16sI20x")  # struct ifreq with a number


class TunError(Exception):
    """The TUN device cannot be opened; the message is for users."""


def open_tun(name: str, mtu: int) -> int:
    """Create or reopen the TUN device, set its MTU and bring it up; return its descriptor, which does not block.

    The device stays when the process ends. Raise TunError for a device that another program uses or has made.
    """
    try:
        handle = os.open(DEVICE_FILE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise TunError(
            f"TUN device {name} cannot be created: {DEVICE_FILE}: {error.strerror}; load the kernel module tun, or "
            f"add this device to the container in which overlayd runs"
        ) from None
    try:
        fcntl.ioctl(handle, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR))
        fcntl.ioctl(handle, _TUNSETVNETHDRSZ, struct.pack("=i", VNET_HEADER))
        # Without offloads the kernel segments large packets and completes all checksums, faster than Python code.
        fcntl.ioctl(handle, _TUNSETOFFLOAD, 0)
        fcntl.ioctl(handle, _TUNSETPERSIST, 1)
        _set_up(name, mtu)
    except OSError as error:
        os.close(handle)
        raise TunError(_refusal(name, error)) from None
    return handle


def delete_tun(handle: int) -> None:
    """Let the device vanish with its last descriptor, and close this one."""
    fcntl.ioctl(handle, _TUNSETPERSIST, 0)
    os.close(handle)


def set_mtu(name: str, mtu: int) -> None:
    """Set the MTU of the device in bytes; raise OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, _SIOCSIFMTU, _REQUEST.pack(name.encode(), mtu))


def _set_up(name: str, mtu: int) -> None:
    title = name.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, _SIOCSIFTXQLEN, _REQUEST.pack(title, QUEUE))
        fcntl.ioctl(control, _SIOCSIFMTU, _REQUEST.pack(title, mtu))
        flags = struct.unpack_from("=H", fcntl.ioctl(control, _SIOCGIFFLAGS, _REQUEST.pack(title, 0)), 16)[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, _REQUEST.pack(title, flags | _IFF_UP))


def _refusal(name: str, error: OSError) -> str:
    reasons = {
        errno.EBUSY: "another program uses it; stop that program (flanneld?) or remove the device",
        errno.EINVAL: "an interface of another kind has this name; rename or remove it",
        errno.EPERM: "not permitted; the process needs CAP_NET_ADMIN",
    }
    return f"TUN device {name} cannot be opened: {reasons.get(error.errno or 0, error.strerror)}"
