# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packs the agent's Python files into an archive, the same one for the same files, and prints its hash."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
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
    """Write the archive named by the second argument from the folder named by the first."""
    content = pack(Path(sys.argv[1]).resolve())
    with Path(sys.argv[2]).open("wb") as file, gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as out:
        out.write(content)
    print(hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
