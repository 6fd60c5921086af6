# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measures site.yml on a lab of its own: the run on fresh hosts, then runs that have nothing to do.

::

    sudo make bench-site                    # three hosts
    sudo make bench-site BENCH="--runs 5"   # the median of more runs with nothing to do

Times are seconds of the wall clock, and mean something on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent.parent
LAB = str(TREE / "lab" / "lab")
PLAYBOOK = ["ansible-playbook", "-i", str(TREE / "inventories" / "lab"), str(TREE / "playbooks" / "site.yml")]


def run(environment: dict[str, str]) -> tuple[float, int]:
    """Run site.yml; return its seconds and how many tasks changed something on all hosts together."""
    begin = time.monotonic()
    done = subprocess.run(PLAYBOOK, env=environment, cwd=TREE, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nsite.yml failed")
    return seconds, sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))


def main() -> None:
    """Measure, print, and take the lab down again."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=3, metavar="N", help="runs with nothing to do (default 3)")
    runs = options.parse_args().runs
    environment = {**os.environ, "LAB_NAME": "bench", "ANSIBLE_FORCE_COLOR": "0"}
    try:
        for command in ("build", "down", "up"):
            subprocess.run([LAB, command], env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds, changed = run(environment)
        print(f"{'fresh hosts':24}{seconds:6.1f} s  changed={changed}")
        again = [run(environment) for _run in range(runs)]
        times = [seconds for seconds, _changed in again]
        changed = sum(changed for _seconds, changed in again)
        print(f"{'nothing to do':24}{statistics.median(times):6.1f} s  changed={changed}  (slowest {max(times):.1f} s)")
    finally:
        subprocess.run([LAB, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
