# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the picture of the report in the README, from generated results: `make report-picture`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("collections", "tests")]

from support.browser import running  # noqa: E402
from support.report_page import troubled_page  # noqa: E402

PICTURE = ROOT / "docs/report.png"
HOSTS = 8
WIDTH, HEIGHT = 1200, 1150  # pixels of the window
SCALE = 2 / 3
LARGEST = 100_000  # bytes


def main() -> int:
    """Write the picture; return 1 if it is too large."""
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as browser:
        file = Path(name) / "report.html"
        file.write_text(troubled_page(HOSTS), encoding="utf-8")
        browser.call("Emulation.setScrollbarsHidden", hidden=True)
        browser.open(file, WIDTH, HEIGHT)
        content = browser.picture(WIDTH, HEIGHT, SCALE)
    if len(content) > LARGEST:
        print(f"{PICTURE}: the picture has {len(content)} bytes; at most {LARGEST} are allowed", file=sys.stderr)
        return 1
    PICTURE.write_bytes(content)
    print(f"{PICTURE.relative_to(ROOT)}: {len(content)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
