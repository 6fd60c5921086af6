# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Named tuples of overlayd behave like those of typing, from the first instance on."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.named_tuple import NamedTuple

UNKNOWN: dict[str, Any] = {"prot": 1}


class Peer(NamedTuple):
    """A class with a default and a property."""

    name: str
    port: int = 8472

    @property
    def shown(self) -> str:
        """Name and port."""
        return f"{self.name}:{self.port}"


class Empty(NamedTuple):
    """A class without fields."""


class Further(Peer):
    """A class whose first instance may come before one of its base."""


def test_values_come_by_position_by_name_and_by_default() -> None:
    assert Further("h1") == Peer("h1") == Peer(port=8472, name="h1") == ("h1", 8472)
    assert isinstance(Further("h1"), Further)
    assert (Peer("h2", 1).name, Peer("h2", 1).port, Peer("h2", 1).shown) == ("h2", 1, "h2:1")
    assert Empty() == ()


def test_a_missing_and_an_unknown_value_are_type_errors() -> None:
    class Fresh(NamedTuple):
        name: str

    for _attempt in range(2):  # the first instance, and a later one
        for names in ((), ("h1", "h2")):
            with pytest.raises(TypeError, match="argument"):
                Fresh(*names)
        assert Fresh("h1").name == "h1"


def test_a_copy_can_have_other_values() -> None:
    assert Peer("h1")._replace(port=1) == Peer("h1", 1)
    assert isinstance(Further("h1")._replace(port=1), Further)
    with pytest.raises(ValueError, match="prot"):
        Peer("h1")._replace(**UNKNOWN)
    assert Peer._make(["h1", 1]) == Peer("h1", 1)
    with pytest.raises(TypeError, match="expected 2 values, got 1"):
        Peer._make(["h1"])


def test_a_value_is_shown_and_copied_with_its_fields() -> None:
    peer = Peer("h1", 1)
    assert repr(peer) == "Peer(name='h1', port=1)"
    assert (Peer._fields, peer._asdict()) == (("name", "port"), {"name": "h1", "port": 1})
    for other in (copy.copy(peer), copy.deepcopy(peer)):
        assert (other, type(other)) == (peer, Peer)


def test_a_value_cannot_change() -> None:
    with pytest.raises(AttributeError):
        setattr(Peer("h1"), Peer._fields[1], 1)
