# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints the hashes of overlayd's files and of all files of the package, or packs one of the two into an archive.

    pack.py FOLDER                    prints two lines: the hash of overlayd's files, and the hash of all files
    pack.py FOLDER --archive agent    prints the path of a new archive of overlayd's files
    pack.py FOLDER --archive tools    the same for all files, which overlayctl needs

overlayd does not import the folders in NOT_OF_THE_AGENT, so a change in them is no new release of overlayd.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import tarfile
import tempfile
from pathlib import Path

NOT_OF_THE_AGENT = ("diagnosis", "ctl")


def pack(package: Path, without: tuple[str, ...] = ()) -> bytes:
    """Return a tar archive of the Python files of the package folder, below the folder's own name.

    ``without`` names folders in the package folder that are left out.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(package.rglob("*.py")):
            inside = path.relative_to(package)
            if inside.parts[0] in without:
                continue
            content = path.read_bytes()
            entry = tarfile.TarInfo(str(package.name / inside))
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def main() -> None:
    """Print the hashes for the package folder named by the first argument, or the path of a new archive."""
    package = Path(sys.argv[1]).resolve()
    parts = {"agent": NOT_OF_THE_AGENT, "tools": ()}
    if sys.argv[2:3] == ["--archive"]:
        handle, path = tempfile.mkstemp(prefix="overlayd-", suffix=".tar.gz")
        with os.fdopen(handle, "wb") as file, gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as out:
            out.write(pack(package, parts[sys.argv[3]]))
        print(path)
    else:
        for without in parts.values():
            print(hashlib.sha256(pack(package, without)).hexdigest())


if __name__ == "__main__":
    main()
