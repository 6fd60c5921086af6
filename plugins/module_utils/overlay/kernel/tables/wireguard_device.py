# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""WireGuard devices: a device of the kernel, or if the kernel has none, the TUN device of a wireguard-go process."""

from __future__ import annotations

import errno
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from ...model.backends.wireguard import DEVICE
from ...model.errors import KernelError, NotYetError, OverlayError
from ...model.secret import Secret
from ...model.wireguard_keys import NO_KEY, format_key, parse_key, public_key
from ...named_tuple import NamedTuple
from ...patience import ANSWER, PATIENCE
from ..netlink.codec import U32, attribute, message
from ..netlink.constants import (
    IFLA_IFNAME,
    IFLA_MTU,
    IFLA_TXQLEN,
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_NEWLINK,
    RTM_SETLINK,
)
from ..netlink.interfaces import Link, link
from ..netlink.rtnetlink import Netlink, NetlinkError
from ..observation import Observation
from ..state import DesiredState, ObservedState
from ..step import Action, Step
from ..table import TableSteps
from ..udp_port import udp_port_problem
from ..wireguard import NoAnswerError, control_for, control_of
from . import add_table
from .address import Addresses
from .device import DeviceTable, SetMtu, link_body, link_info

GENL_KIND, TUN_KIND = "wireguard", "tun"  # the kernel's names of the two kinds of device
QUEUE = 2000  # packets that wait in the TUN device while wireguard-go is busy; by default only 500
_START_LIMIT = 5.0  # seconds for a started process to create its device
_PAUSE = 0.01


class DeviceProcess(Protocol):
    """The process that provides the device if the kernel cannot."""

    def ensure(self) -> bool:
        """Start the process unless it runs; return whether it was started. Raise OverlayError."""


class WireguardEnd(NamedTuple):
    """This host's end of its tunnels: its public key, the file with the private key, and the process."""

    public_key: bytes
    key_file: str
    process: DeviceProcess | None = None


class WireguardDevice(NamedTuple):
    """A WireGuard device; ``psk`` and ``keepalive`` (seconds) are those of its peers, which wireguard_peer.py sets."""

    name: str
    end: WireguardEnd
    port: int
    mtu: int
    psk: Secret | None = None
    keepalive: int = 0
    up: bool = True

    @property
    def backend(self) -> str:
        """The type of the backend that uses such devices."""
        return "wireguard"

    @property
    def kind(self) -> str:
        """The kernel's name of the kind of device."""
        return GENL_KIND

    @property
    def standard_name(self) -> str:
        """The name that overlayd and flannel give such a device."""
        return DEVICE

    @property
    def is_set(self) -> bool:
        """Whether an existing device has its settings; otherwise it was created in part, or its process is gone."""
        return self.port != 0

    @property
    def mac(self) -> bytes:
        """Nothing: the device has no MAC."""
        return b""

    @property
    def key(self) -> str:
        """The name of the interface."""
        return self.name


class _WholeDevice(NamedTuple):
    device: WireguardDevice


class CreateWireguard(_WholeDevice, Action):
    """Create the device, by a wireguard-go process if the kernel has no WireGuard; it is down and has no key yet."""

    __slots__ = ()
    essential = True

    def __str__(self) -> str:
        return f"ip link add {self.device.name} mtu {self.device.mtu} type {GENL_KIND}"

    def perform(self) -> None:
        """Create the device; raise KernelError."""
        device = self.device
        with closing(Netlink()) as netlink:
            name = attribute(IFLA_IFNAME, device.name.encode() + bytes(1))
            mtu = attribute(IFLA_MTU, U32.pack(device.mtu))
            body = link_body(0) + name + mtu + link_info(GENL_KIND)
            refusal = netlink.execute([message(0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)]).get(0)
            if refusal is None:
                return
            if refusal.errno != errno.EOPNOTSUPP or device.end.process is None:
                raise KernelError(refusal.message)
            self._start(netlink)
            queue = attribute(IFLA_TXQLEN, U32.pack(QUEUE))
            netlink.execute([message(0, RTM_SETLINK, 0, link_body(0) + name + mtu + queue)])

    def _start(self, netlink: Netlink) -> None:
        """Start wireguard-go and wait for its device; raise KernelError."""
        is_new = False
        try:
            if self.device.end.process is not None:
                is_new = self.device.end.process.ensure()
        except KernelError:
            raise
        except OverlayError as error:
            raise KernelError(str(error)) from None
        start = time.monotonic()
        limit = _START_LIMIT if is_new else ANSWER
        while True:
            try:
                link(netlink, self.device.name)
                return
            except NetlinkError as error:
                if error.errno != errno.ENODEV or time.monotonic() > start + limit or PATIENCE.is_over:
                    reason = str(error) if is_new else PATIENCE.no_answer(self.device.name, start)
                    refusal = NotYetError if PATIENCE.is_over else KernelError
                    raise refusal(f"wireguard-go did not create device {self.device.name}: {reason}") from None
            PATIENCE.pause(_PAUSE)

    @property
    def creates(self) -> str:
        """The name of the device."""
        return self.device.name

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} was missing"


class SetWireguard(_WholeDevice, Action):
    """Set the private key and the UDP port of a device. The key is read from its file, and never shown."""

    __slots__ = ()
    essential = True

    def __str__(self) -> str:
        device = self.device
        return f"wg set {device.name} listen-port {device.port} private-key {device.end.key_file}"

    def perform(self) -> None:
        """Act; raise KernelError."""
        device = self.device
        control = control_of(device.name)
        if control.read(device.name).port != device.port:
            problem = udp_port_problem(device.port)
            if problem:
                raise KernelError(f"{problem}; stop it, or set another ListenPort in the network config")
        path = device.end.key_file
        try:
            private = parse_key(Path(path).read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise KernelError(f"key file {path} cannot be used: {error}") from None
        if public_key(private) != device.end.public_key:
            raise KernelError(f"key file {path} was changed while overlayd was running; restart overlayd")
        control.set_device(device.name, private, device.port)

    @property
    def creates(self) -> str:
        """The name of the device."""
        return self.device.name

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} had another key or port"


class WireguardDevices(DeviceTable[WireguardDevice]):
    """The table of our WireGuard devices: one at most."""

    row = WireguardDevice
    kind = GENL_KIND

    def has_kind(self, link: Link) -> bool:
        """Whether an interface is a WireGuard device, or has the name of ours and is the TUN device of a process."""
        return is_wireguard(link)

    def read(self, observation: Observation, link: Link) -> WireguardDevice:
        """Return a device as it is configured; its peers are kept for their own table."""
        state = observation.wireguard[link.name] = control_for(link.kind).read(link.name)
        wanted = observation.desired.rows(WireguardDevice).get(link.name)
        end = WireguardEnd(state.public_key, "")
        if wanted is None:
            return WireguardDevice(link.name, end, state.port, link.mtu, up=link.up)
        if state.public_key == wanted.end.public_key:
            end = wanted.end
        return wanted._replace(end=end, port=state.port, mtu=link.mtu, up=link.up)

    def creation(self, device: WireguardDevice) -> Step:
        """Return the step that creates the device."""
        return CreateWireguard(device)

    def can_become(self, held: WireguardDevice, wanted: WireguardDevice) -> bool:
        """Whether the device can be changed: each one can."""
        return True

    def changes(self, held: WireguardDevice, wanted: WireguardDevice) -> list[Step]:
        """Return the steps for the settings that differ."""
        steps: list[Step] = []
        if (held.end, held.port) != (wanted.end, wanted.port):
            steps.append(SetWireguard(wanted))
        if held.mtu != wanted.mtu:
            steps.append(SetMtu(wanted.name, wanted.mtu))
        return steps

    def plan(self, desired: DesiredState, observed: ObservedState) -> TableSteps:
        """Set the key and the port of each device that is created."""
        part = super().plan(desired, observed)
        first: list[Step] = []
        for step in part.first:
            first.append(step)
            if isinstance(step, CreateWireguard):
                first.append(SetWireguard(step.device))
        return part._replace(first=first)


def key_data(device: WireguardDevice) -> dict[str, Any]:
    """Return the fields of BackendData by which others reach a device."""
    return {"PublicKey": format_key(device.end.public_key), "Port": device.port}


def is_wireguard(link: Link) -> bool:
    """Whether an interface is a WireGuard device of the kernel, or has the name of ours and is a TUN device."""
    return link.kind == GENL_KIND or (link.kind == TUN_KIND and link.name == DEVICE)


def read_wireguard(link: Link) -> WireguardDevice | None:
    """Return a device with the settings that its peers share; None for another one, such as a TUN device."""
    if not is_wireguard(link):
        return None
    try:
        state = control_for(link.kind).read(link.name)
    except NoAnswerError:
        return WireguardDevice(link.name, WireguardEnd(b"", ""), 0, link.mtu)
    except KernelError:
        return None if link.kind == TUN_KIND else WireguardDevice(link.name, WireguardEnd(b"", ""), 0, link.mtu)
    psk = next((Secret(format_key(peer.psk)) for peer in state.peers if peer.psk != NO_KEY), None)
    keepalive = max((peer.keepalive for peer in state.peers), default=0)
    end = WireguardEnd(state.public_key, "")
    return WireguardDevice(link.name, end, state.port, link.mtu, psk, keepalive, link.up)


add_table(WireguardDevices(), Addresses)
