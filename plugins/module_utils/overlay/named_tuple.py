# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``NamedTuple`` as in typing, without its cost at import.

typing compiles the annotation of each field, which nothing here reads: with about 90 classes that was half of the time
that overlayd needed to import its own modules at each start (``make bench``, row "start").
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple

    __all__ = ["NamedTuple"]
else:
    _ONLY_OF_THE_CLASS_BODY = {"__annotations__", "__dict__", "__weakref__"}

    class _Maker(type):
        def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            """Return a named tuple with the annotated fields of a class body, their defaults, and its other names."""
            fields = body.get("__annotations__", {})
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key in body.keys() - fields.keys() - _ONLY_OF_THE_CLASS_BODY:
                setattr(made, key, body[key])
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
