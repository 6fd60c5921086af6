# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``NamedTuple`` as in typing, without its cost at import.

overlayd imports about 90 of these classes at each start. typing compiles the annotation of each field, which nothing
here reads; collections.namedtuple compiles a constructor and makes five methods for each class. Here the classes share
the methods, and a constructor is made for the first instance (``make bench``, row "processor time").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple

    __all__ = ["NamedTuple"]
else:
    from collections import _tuplegetter as field_getter
    from collections import namedtuple

    class _Row(tuple):
        """The methods of every named tuple."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values):
            """Return a named tuple of the values; raise TypeError if there are more or fewer than fields."""
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__}: expected {len(cls._fields)} values, got {len(made)}")
            return made

        def _replace(self, **changes):
            """Return a copy with other values; raise ValueError for the name of no field."""
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"{type(self).__name__}: no such fields: {list(changes)}")
            return made

        def _asdict(self):
            """Return the values by field."""
            return dict(zip(self._fields, self))

        def __repr__(self):
            """Return the expression that makes an equal value."""
            shown = ", ".join(f"{field}={value!r}" for field, value in zip(self._fields, self))
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            """Return the arguments of the constructor, for copies."""
            return tuple(self)

    class _Maker(type):
        def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            """Return a named tuple with the annotated fields of a class body, their defaults, and its other names."""
            fields = tuple(body.pop("__annotations__", ()))
            defaults = tuple(body.pop(field) for field in fields if field in body)

            def first(made, *values, **named):
                """Make the constructor and return the first instance."""
                built.__new__ = namedtuple(name, fields, defaults=defaults).__new__
                return built.__new__(made, *values, **named)

            for index, field in enumerate(fields):
                body[field] = field_getter(index, field)
            body.update(__slots__=(), __new__=first, _fields=fields, __match_args__=fields)
            built = type(name, (_Row,), body)
            return built

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
