# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The TUN device of the udp backend, and the data path process that serves it (overlay/udp)."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from contextlib import closing

from ...model.addresses import format_ipv4, parse_ipv4
from ...model.backends.udp import DEVICE, UDP
from ...model.errors import KernelError, NotYetError
from ...named_tuple import NamedTuple
from ..netlink.codec import message
from ..netlink.constants import RTM_DELLINK
from ..netlink.interfaces import Link, link
from ..netlink.rtnetlink import Netlink, NetlinkError
from ..observation import Observation
from ..starters import start
from ..step import Action, Step
from . import add_table
from .address import Addresses
from .device import DeleteDevice, DeviceTable, SetMtu, link_body

KIND = "tun"


class TunDevice(NamedTuple):
    """The TUN device with the settings of its process: address and port of the socket, the device's own address.

    The address is 0 if no process serves the device.
    """

    name: str
    mtu: int
    address: int
    port: int
    own: int
    up: bool = True

    @property
    def backend(self) -> str:
        """The type of the backend that uses such devices."""
        return UDP

    @property
    def kind(self) -> str:
        """The kernel's name of the kind of device."""
        return KIND

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
    device: TunDevice


class ServeTun(_WholeDevice, Action):
    """Start the data path process if it does not run, and send it its settings; it creates the device if necessary."""

    __slots__ = ()
    essential = True

    def __str__(self) -> str:
        device = self.device
        return f"ip tuntap add dev {device.name} mode tun # data path at {format_ipv4(device.address)}:{device.port}"

    def perform(self) -> None:
        """Act; raise KernelError."""
        from ...udp.protocol import CONFIGURE, PORT_IN_USE, ControlError, Settings, SilentError, request
        from ..udp_port import udp_port_problem

        device = self.device
        start(UDP)
        settings = Settings(format_ipv4(device.address), device.port, device.name, device.mtu, format_ipv4(device.own))
        try:
            request(CONFIGURE, json.dumps(settings._asdict()).encode())
        except SilentError as error:
            raise NotYetError(str(error)) from None
        except ControlError as error:
            problem = udp_port_problem(device.port) if PORT_IN_USE in str(error) else None
            remedy = f"stop it (`ss -lunp sport = :{device.port}` shows it), or set another Port in the network config"
            raise KernelError(f"{problem}; {remedy}" if problem else str(error)) from None

    @property
    def creates(self) -> str:
        """The name of the device."""
        return self.device.name

    @property
    def repaired(self) -> str:
        """The log text for a repair."""
        return f"device {self.device.name} had no data path, or one with other settings"


class StopTun(DeleteDevice, Action):
    """Stop the data path process, which deletes its device; delete a device without a process."""

    __slots__ = ()

    def perform(self) -> None:
        """Act; raise KernelError."""
        from ...udp.protocol import QUIT, request, status

        if status() is not None:
            request(QUIT)
        with closing(Netlink()) as netlink:
            try:
                body = link_body(link(netlink, self.device).ifindex)
            except NetlinkError as error:
                if error.errno == errno.ENODEV:
                    return
                raise
            netlink.execute([message(0, RTM_DELLINK, 0, body)])


class TunDevices(DeviceTable[TunDevice]):
    """The table of the TUN devices of the udp backend: one at most."""

    row = TunDevice
    kind = KIND

    def read(self, observation: Observation, link: Link) -> TunDevice:
        """Return the device with the settings of its process."""
        return _device(link)

    def creation(self, device: TunDevice) -> Step:
        """Return the step that creates the device."""
        return ServeTun(device)

    def deletion(self, name: str) -> Step:
        """Return the step that deletes the device."""
        return StopTun(name)

    def can_become(self, held: TunDevice, wanted: TunDevice) -> bool:
        """Whether the device can be changed: each one can."""
        return True

    def changes(self, held: TunDevice, wanted: TunDevice) -> list[Step]:
        """Return the steps for the settings that differ."""
        if held._replace(up=True, mtu=wanted.mtu) != wanted:
            return [ServeTun(wanted)]
        return [SetMtu(wanted.name, wanted.mtu)] if held.mtu != wanted.mtu else []


def read_tun(link: Link, _name_of: Callable[[int], str]) -> TunDevice | None:
    """Return the TUN device of the udp backend, None for another TUN device."""
    return _device(link) if link.name == DEVICE else None


def _device(link: Link) -> TunDevice:
    from ...udp.protocol import settings_of

    settings = settings_of()
    if settings is None:
        return TunDevice(link.name, link.mtu, 0, 0, 0, up=link.up)
    address, own = parse_ipv4(settings.address), parse_ipv4(settings.own)
    return TunDevice(link.name, link.mtu, address, settings.port, own, link.up)


add_table(TunDevices(), before=Addresses)
