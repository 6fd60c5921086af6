# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run integration tests with the stock kernel of Debian 12, in a guest of QEMU that shares this machine's file system.

Usage: PYTHONPATH=lab tools/kernel.py [PYTEST-ARGUMENT...]     without arguments: the tests of `make test-kernel`

The guest is emulated in software, so no KVM is needed. It has no network. It reads the files of this machine, keeps its
changes in memory, and writes only to .cache/kernel/results. Without arguments the tests are shared by GUESTS guests.
The folder of each has pytest's report in report.xml. The exit code is the highest one of pytest. It is 70 if the tests
could not run; the last line of the output has the cause.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

from overlaylab import kernel
from overlaylab.process import LabError, run

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/kernel"
PACKAGES = CACHE / "packages"  # the unpacked kernel and busybox; complete if it exists
RESULTS = CACHE / "results"
BUSYBOX = "busybox-static"
NEEDED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # modules for the file systems of the guest
# The tests in tests/integration/guest need device kinds that other kernels may lack, or a kernel without WireGuard. The
# others, by file, run with any kernel and are repeated with this one because most users have it.
GUEST = "tests/integration/guest"
REPEATED = {
    "kernel/test_dataplane.py": (
        "test_datagrams_of_the_full_mtu_pass_between_all_hosts[next hops-vxlan]",
        "test_datagrams_of_the_full_mtu_pass_between_all_hosts[plain routes-host-gw]",
        "test_removal_removes_all_own_rows_and_no_foreign_one[next hops-vxlan]",
        "test_removal_removes_all_own_rows_and_no_foreign_one[plain routes-vxlan]",
    ),
    "agent/test_wireguard.py": (
        "test_full_size_packets_pass_and_the_underlay_carries_no_clear_text",
        "test_peers_are_added_moved_changed_and_removed",
        "test_removal_leaves_nothing",
        "test_a_running_fleet_changes_to_wireguard_and_back_without_a_lost_packet[vxlan]",
    ),
    "kernel/test_firewall.py": ("test_containers_reach_each_other_only_with_the_rules",),
    "kernel/test_flannel_rules.py": ("test_the_nftables_tables_that_flannel_left_are_removed_and_others_stay",),
}
GUESTS = 2
MEMORY = "1536"  # MiB
LIMIT = 900.0  # seconds; two idle processors need a fraction of it
GUEST_FAILED = 70


def suite() -> list[list[str]]:
    """The ids of the tests that run without arguments, for each guest."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / GUEST).glob("test_*.py"))
    repeated = [f"tests/integration/{file}::{name}" for file, names in REPEATED.items() for name in names]
    return [[*files[number::GUESTS], *repeated[number::GUESTS]] for number in range(GUESTS)]


def download() -> None:
    """Download and unpack the kernel if it is missing; an interrupted attempt leaves nothing incomplete."""
    if PACKAGES.is_dir():
        return
    if shutil.which("apt-get") is None:
        raise LabError("the stock kernel of Debian cannot be downloaded: this machine has no apt-get")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=CACHE) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # apt downloads as the user _apt
        try:
            packages = fetch(folder)
        except LabError:
            run("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "update")  # the lists may be old or missing
            packages = fetch(folder)
        unpacked = folder / "unpacked"
        for package in packages:
            run("dpkg-deb", "--extract", str(package), str(unpacked))
        run(str(unpacked / "bin/busybox"), "depmod", "-b", str(unpacked), kernel.modules(unpacked).name)
        unpacked.rename(PACKAGES)


def fetch(folder: Path) -> list[Path]:
    """Download the packages."""
    newest = kernel.newest()
    print(f"downloading {newest} to {CACHE}", flush=True)
    done = subprocess.run(
        ["apt-get", "-qq", "download", newest, BUSYBOX], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"apt-get download {newest} {BUSYBOX}: {done.stderr.strip()}")
    return sorted(folder.glob("*.deb"))


def initramfs(results: Path) -> bytes:
    """The first file system of the guest, with tools/guest/init."""
    folder, busybox = kernel.modules(PACKAGES), PACKAGES / "bin/busybox"
    settings = {"tree": ROOT, "results": results, "modules": folder, "busybox": busybox}
    return kernel.initramfs((ROOT / "tools/guest/init").read_bytes(), settings, folder, NEEDED, busybox)


def command(results: Path) -> list[str]:
    """The command line of QEMU, which ends together with this process."""
    share = "local,security_model=none"
    return [
        *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
        *("-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-nic", "none"),
        *("-accel", "tcg,thread=multi", "-smp", "2", "-m", MEMORY),
        *("-kernel", str(next(PACKAGES.glob("boot/vmlinuz-*"))), "-initrd", str(results / "initramfs")),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
        *("-fsdev", f"{share},id=machine,path=/,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=machine,mount_tag=machine"),
        *("-fsdev", f"{share},id=results,path={results}"),
        *("-device", "virtio-9p-pci,fsdev=results,mount_tag=results"),
    ]


def start(results: Path, arguments: list[str], output: int | BinaryIO) -> subprocess.Popen[bytes]:
    """Start a guest that runs pytest with these arguments and writes to the folder ``results``."""
    results.mkdir(parents=True)
    words = [*arguments, f"--junit-xml={results / 'report.xml'}"]
    (results / "arguments").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    (results / "initramfs").write_bytes(initramfs(results))
    return subprocess.Popen(command(results), stdin=subprocess.DEVNULL, stdout=output)


def run_guests(parts: list[list[str]]) -> int:
    """Run pytest with each of these lists of arguments in a guest; return the highest exit code.

    The output of the first guest is printed as it comes, that of the others at the end.
    """
    shutil.rmtree(RESULTS, ignore_errors=True)
    folders = [RESULTS / str(number) for number in range(1, len(parts) + 1)]
    guests = [start(folders[0], parts[0], subprocess.PIPE)]
    limit = threading.Timer(LIMIT, end, [guests])
    limit.start()
    try:
        for folder, arguments in zip(folders[1:], parts[1:]):
            RESULTS.mkdir(exist_ok=True)
            with (RESULTS / f"{folder.name}.log").open("wb") as log:
                guests.append(start(folder, arguments, log))
        assert guests[0].stdout is not None
        while output := os.read(guests[0].stdout.fileno(), 1 << 16):
            show(output)
        for guest, folder in zip(guests[1:], folders[1:]):
            guest.wait()
            show((RESULTS / f"{folder.name}.log").read_bytes())
    finally:
        limit.cancel()
        end(guests)
    return max(map(status_of, folders))


def end(guests: list[subprocess.Popen[bytes]]) -> None:
    """End guests; those that have ended are left out."""
    for guest in guests:
        guest.kill()


def show(output: bytes) -> None:
    """Print output of a guest."""
    print(output.decode(errors="replace").replace("\r", ""), end="", flush=True)


def status_of(results: Path) -> int:
    """The exit code of pytest in a guest."""
    status = results / "status"
    if not status.exists():
        raise LabError(f"a guest ended without a result, or was ended after {LIMIT:.0f} s; its output is above")
    return int(status.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Run the tests; the last line of the output has the cause if they could not run."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(GUEST_FAILED))
    try:
        kernel.check_machine()
        download()
        return run_guests([arguments] if arguments else suite())
    except LabError as error:
        print(" ".join(str(error).split()))
        return GUEST_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
