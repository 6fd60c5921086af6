# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A kernel without one of its modules. For tests in the guest only: modules are those of the whole machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path("/proc/sys/kernel/modprobe")  # the program by which the kernel loads modules


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Unload a module, which no device uses, and let the kernel not find it again."""
    program = _PROGRAM.read_text(encoding="ascii").strip()
    subprocess.run([program, "-r", name], check=True)
    _PROGRAM.write_text("/nonexistent", encoding="ascii")
    try:
        yield
    finally:
        _PROGRAM.write_text(program, encoding="ascii")
