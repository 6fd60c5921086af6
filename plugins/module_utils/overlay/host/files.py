# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Atomic writes of files: a reader sees the old content or the new content."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..model.errors import OverlayError

_TEMPORARY = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}")  # see write_atomically


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the content of the file, and create its folder if necessary; raise OverlayError naming the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OverlayError(f"cannot write {path}: {error.strerror}; check the folder and its file system") from error


def read_text(path: Path) -> str | None:
    """Return the file's text, None if it does not exist; raise OverlayError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise OverlayError(f"cannot read {path}: {error}") from error


def temporary_files(folder: Path, name: str | None = None) -> Iterator[Path]:
    """Yield the files that a killed ``write_atomically`` left in a folder, for a file with this name or for all."""
    for path in folder.glob(".*"):
        found = _TEMPORARY.fullmatch(path.name)
        if found is not None and name in (None, found[1]):
            yield path
