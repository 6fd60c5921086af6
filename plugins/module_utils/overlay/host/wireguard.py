# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard on this host: its private key, and whether the kernel or wireguard-go can provide the device."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..kernel.netlink.codec import attribute, message
from ..kernel.netlink.constants import (
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    NLA_F_NESTED,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELLINK,
    RTM_NEWLINK,
)
from ..kernel.netlink.interfaces import links
from ..kernel.netlink.rtnetlink import Netlink
from ..kernel.tables.device import Device, link_body
from ..kernel.tables.wireguard_device import (
    GENL_KIND,
    WireguardDevice,
    WireguardEnd,
    is_wireguard,
    key_data,
    read_wireguard,
)
from ..kernel.wireguard import control_for
from ..model.backends.wireguard import DEVICE
from ..model.errors import ConfigError, KernelError
from ..model.wireguard_keys import KEY_SIZE, NO_KEY, clamped, format_key, parse_key, public_key
from .companion import Companion
from .files import read_text, write_atomically
from .identity import WIREGUARD_KEY
from .log import log

PROGRAM = "wireguard-go"
_TRIAL = "overlayd-trial"  # a device that exists for an instant
_PROPERTIES = ("CPUWeight=1000", "ProtectSystem=full", "ProtectHome=yes", "PrivateTmp=yes", "NoNewPrivileges=yes")


def wireguard_process(folder: Path) -> Companion:
    """Return the wireguard-go process of this host; ``folder`` is overlayd's state folder."""
    program = shutil.which(PROGRAM) or f"/usr/bin/{PROGRAM}"
    return Companion(DEVICE, folder, ("/usr/bin/env", "WG_PROCESS_FOREGROUND=1", program, DEVICE), _PROPERTIES)


def wireguard_end(folder: Path, *, is_foreign: bool, keep: bool = True) -> WireguardEnd:
    """Return this host's end; its key is created if there is none. Raise OverlayError if it cannot be stored.

    ``is_foreign`` is whether the files in the folder belong to another machine, of which this one is a copy. A device
    that exists keeps its key: if the file is lost, it is written again. Without ``keep`` no file is written.
    """
    path = folder / WIREGUARD_KEY
    in_use = _key_in_use()
    known = None if is_foreign and in_use is None else _known_key(path)
    if known is None:
        known = in_use or clamped(os.urandom(KEY_SIZE))
        if keep:
            log.info("WireGuard key: %s written", path)
            write_atomically(path, f"{format_key(known)}\n", mode=0o600)
    return WireguardEnd(public_key(known), str(path), wireguard_process(folder))


@lru_cache(maxsize=1)
def check_wireguard() -> None:
    """Raise ConfigError if this host can have no WireGuard device."""
    if shutil.which(PROGRAM) is None and not kernel_has_wireguard():
        raise ConfigError(
            f"Backend wireguard: the kernel of this host has no WireGuard device, and {PROGRAM} is not installed; "
            f"install the package {PROGRAM}, or a kernel with the module wireguard"
        )


def kernel_has_wireguard() -> bool:
    """Whether the kernel can create a WireGuard device; it creates one and deletes it."""
    name = attribute(IFLA_IFNAME, _TRIAL.encode() + bytes(1))
    kind = attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, GENL_KIND.encode()))
    new = message(0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_body(0) + name + kind)
    with closing(Netlink()) as netlink:
        refusal = netlink.execute([new]).get(0)
        netlink.execute([message(0, RTM_DELLINK, 0, link_body(0) + name)])
    return refusal is None or refusal.errno == errno.EEXIST


def has_key(device: Device, folder: Path) -> bool:
    """Return whether a device has the key in overlayd's state folder."""
    key = _known_key(folder / WIREGUARD_KEY)
    return key is not None and isinstance(device, WireguardDevice) and device.end.public_key == public_key(key)


def _known_key(path: Path) -> bytes | None:
    """Return the key in the file, None if there is no file or its content is no key."""
    text = read_text(path)
    if text is None:
        return None
    try:
        return parse_key(text.strip())
    except ValueError as error:
        log.error("key file %s is damaged: %s; a new key is created", path, error)
        return None


def _key_in_use() -> bytes | None:
    """Return the private key of the existing device, None if there is none."""
    with closing(Netlink()) as netlink:
        device = next((one for one in links(netlink) if one.name == DEVICE and is_wireguard(one)), None)
    if device is None:
        return None
    try:
        key = control_for(device.kind).private_key(DEVICE)
    except KernelError:
        return None
    return None if key == NO_KEY else key


def published_data() -> dict[str, Any] | None:
    """Return key and port of the existing device, as in leases; None if there is none or it has no key."""
    with closing(Netlink()) as netlink:
        device = next((read_wireguard(one) for one in links(netlink) if one.name == DEVICE), None)
    if device is None or not device.end.public_key or not device.port:
        return None
    return key_data(device)
