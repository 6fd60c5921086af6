# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step: one change of the kernel, which knows its command line, its netlink requests and its key."""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar

from .netlink.rtnetlink import KernelRefusal

# The kernel's errors for an object that does not exist; EINVAL for a route by a next hop that does not exist.
_ABSENT = {errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.EINVAL}


class Wire:
    """What a step needs to encode itself: the indexes of interfaces, and whether routes go by next-hop objects."""

    def __init__(self, index: Callable[[str], int], by_hops: bool) -> None:
        """Look up each interface once; valid as long as no interface is created or deleted."""
        self.index: Mapping[str, int] = _Indexes(index)
        self.by_hops = by_hops


class _Indexes(dict[str, int]):
    def __init__(self, look_up: Callable[[str], int]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, name: str) -> int:
        index = self[name] = self._look_up(name)
        return index


class Step:
    """Base of all steps. A step is a named tuple with this class as its second base."""

    __slots__ = ()
    # What a log line that counts steps calls them.
    kind: ClassVar[str] = "settings of the device"
    # Sent alone, because it creates or deletes an interface and so changes the indexes that the next step needs.
    alone: ClassVar[bool] = False
    # If the kernel refuses this step, the steps on the device that it creates are left out; without one, all others.
    essential: ClassVar[bool] = False

    def __str__(self) -> str:
        """Return the command that a person would type."""
        raise NotImplementedError

    def encode(self, wire: Wire, messages: list[bytes]) -> None:
        """Append the netlink requests; the sequence number of each is its position in the list.

        Raise NetlinkError (errno ENODEV), with nothing appended, if an interface does not exist.
        """
        raise NotImplementedError

    def refusal(self, answers: Mapping[int, KernelRefusal]) -> KernelRefusal | None:
        """Return why the step failed, None for success. ``answers``: the refused requests, by position."""
        return answers[min(answers)]

    def withdraw(self, answers: Mapping[int, KernelRefusal], wire: Wire, messages: list[bytes]) -> None:
        """Append the requests that undo the accepted part of a refused step."""

    def explain(self, refusal: KernelRefusal) -> str:
        """Return the kernel's error in the words of this step."""
        return refusal.message

    @property
    def creates(self) -> str:
        """The name of the device that the step creates, "" for any other step."""
        return ""

    @property
    def key(self) -> Hashable | None:
        """The key of the row that the step changes; None for a step that changes no peer's row."""
        return None

    @property
    def repaired(self) -> str:
        """The log text for a step that undoes a change by another program; empty for a step that is never a repair."""
        return ""


class Action(Step):
    """Base of the steps that are no rtnetlink request: about a process, a control socket or generic netlink."""

    __slots__ = ()
    alone = True

    @property
    def needs(self) -> str:
        """The name of the device that must exist before, "" for none."""
        return ""

    def perform(self) -> None:
        """Act; raise KernelError with the reason if that fails."""
        raise NotImplementedError


class Removal(Step):
    """Base of the steps that remove something; it is a success if that does not exist."""

    __slots__ = ()

    def refusal(self, answers: Mapping[int, KernelRefusal]) -> KernelRefusal | None:
        """Return the first refusal that is not about a missing object."""
        return next((refusal for refusal in answers.values() if refusal.errno not in _ABSENT), None)
