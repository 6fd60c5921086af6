# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints the hash of the agent's Python files, or packs them into an archive (--archive) and prints its path."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path


def pack(package: Path) -> bytes:
    """Return a tar archive with every Python file of the package folder, below the folder's own name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(package.rglob("*.py")):
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(package.name / path.relative_to(package)))
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def main() -> None:
    """Print the hash of the package folder named by the first argument, or the path of a new archive of it."""
    content = pack(Path(sys.argv[1]).resolve())
    if sys.argv[2:] == ["--archive"]:
        handle, path = tempfile.mkstemp(prefix="overlayd-", suffix=".tar.gz")
        with os.fdopen(handle, "wb") as file, gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as out:
            out.write(content)
        print(path)
    else:
        print(hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
