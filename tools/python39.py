# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the unit tests of the agent's package with Python 3.9, the oldest supported version, in a minimal Debian 11.

Usage: PYTHONPATH=lab tools/python39.py PYTEST-ARGUMENT...
Exit code 77: Debian 11 cannot be installed on this machine; the last line of the output has the cause.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from overlaylab.image import _proxies, install_tools
from overlaylab.process import LabError, contained, run
from overlaylab.sources import write_sources

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/python39"
SUITE = "bullseye"  # Debian 11
PACKAGES = "python3,python3-pytest"
PACKAGE = "plugins/module_utils/overlay"
UNAVAILABLE = 77


def bootstrap() -> None:
    """Install the system if it is missing; an interrupted attempt leaves no incomplete system."""
    install_tools()
    CACHE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="python39-", dir=CACHE.parent) as scratch:
        unfinished = Path(scratch) / "system"
        sources = write_sources(Path(scratch))
        print(f"building a minimal {SUITE} in {CACHE}", flush=True)
        run(
            *contained("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"),
            *("--aptopt=APT::Install-Recommends false", *_proxies(), f"--include={PACKAGES}"),
            *(SUITE, str(unfinished), *map(str, sources)),
        )
        (unfinished / "tree").mkdir()
        unfinished.rename(CACHE)


def run_tests(arguments: list[str]) -> int:
    """Compile the package and run its unit tests inside; return the exit code."""
    script = (
        'mount --bind "$1" "$2/tree" && mount --bind /dev "$2/dev" && mount -t proc proc "$2/proc" && '
        'shift && root=$1 && shift && exec chroot "$root" sh -ec "$@"'
    )
    options = "-ra --override-ini addopts= --import-mode=importlib -p no:cacheprovider"
    inside = (
        f"cd /tree; export PYTHONPYCACHEPREFIX=/tmp/compiled; python3 -m compileall -q {PACKAGE}; "
        f'exec python3 -m pytest {options} "$@" tests/unit/{PACKAGE}'
    )
    command = contained("sh", "-ec", script, "sh", str(ROOT), str(CACHE), inside, "sh", *arguments)
    sys.stdout.flush()
    return os.spawnvp(os.P_WAIT, command[0], command)


def main(arguments: list[str]) -> int:
    """Run the tests in the system, which is installed first if it is missing."""
    try:
        if os.geteuid() != 0:
            raise LabError("installing Debian 11 needs root")
        os.environ["LAB_SUITE"] = SUITE
        if not CACHE.is_dir():
            bootstrap()
    except LabError as error:
        print(str(error).splitlines()[-1])
        return UNAVAILABLE
    return run_tests(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
