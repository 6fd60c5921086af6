# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host as a virtual machine of QEMU: its disk, its settings, and the command line that boots it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from . import kernel
from .process import LabError, run
from .settings import GATEWAY, Host

PROGRAM = "qemu-system-x86_64"
KVM, TCG = "kvm", "tcg"  # QEMU's names of the processor's virtualization and of software emulation
MEMORY = "1024"  # MiB
_DISK, _INITRAMFS = "disk.qcow2", "initramfs"
_TUN = Path("/dev/net/tun")
_DEVICE = Path("/dev/kvm")
_CREATE_VM = 0xAE01  # KVM_CREATE_VM of ioctl(2)
_KERNEL_OPTIONS = {  # an emulated processor is slow, and on a busy machine its timers are late
    KVM: "",
    TCG: " mitigations=off no_timer_check systemd.default_timeout_start_sec=900",
}


def check_machine(environment: Mapping[str, str]) -> None:
    """Raise LabError if this machine cannot run virtual machines, or not with the accelerator in LAB_ACCEL."""
    kernel.check_machine()
    accelerator(environment)
    if not _TUN.exists():
        raise LabError(f"virtual machines need the device {_TUN}, and this machine has none; load the module tun")


def make_disk(host: Host, directory: Path) -> None:
    """Create the host's disk, which keeps only the differences to the image, and its initramfs."""
    image = host.lab.image
    backing = ("-b", str(image / "root.ext4"), "-F", "raw")
    run("qemu-img", "create", "-q", "-f", "qcow2", *backing, str(directory / _DISK))
    (directory / _INITRAMFS).write_bytes(
        (image / "initramfs").read_bytes() + _own_archive(host, directory / host.files.name)
    )


def _own_archive(host: Host, files: Path) -> bytes:
    """A cpio archive of what differs between hosts: their address for vm-init, and their own files below /host."""
    network = f"{host.address}/24 {GATEWAY}\n".encode()
    entries = [kernel.cpio("network", 0o100644, network), kernel.cpio("host", 0o40755)]
    for path in sorted(files.rglob("*")):
        data = b"" if path.is_dir() else path.read_bytes()
        entries.append(kernel.cpio(f"host/{path.relative_to(files)}", path.stat().st_mode, data))
    return b"".join([*entries, kernel.END])


def accelerator(environment: Mapping[str, str]) -> str:
    """QEMU's accelerator: the one in LAB_ACCEL, by default KVM where this machine has it, else software emulation."""
    wanted = environment.get("LAB_ACCEL") or ""
    if wanted not in ("", KVM, TCG):
        raise LabError(f"LAB_ACCEL {wanted!r} is unknown; use {KVM}, or {TCG} for software emulation")
    return wanted or (KVM if _kvm_works() else TCG)


def _kvm_works() -> bool:
    """Whether the kernel of this machine can create a virtual machine."""
    try:
        device = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(device, _CREATE_VM))
    except OSError:
        return False
    finally:
        os.close(device)
    return True


def command(host: Host, accel: str) -> list[str]:
    """The command line that boots the host.

    QEMU runs in the namespace of the bridge. It ends when the host powers off, and continues when the host reboots.
    `unsafe` leaves out the fsyncs of the disk: written data is lost only if the outer machine crashes.
    """
    image, own = host.lab.image, host.directory
    processor = ("-cpu", "host", "-smp", "2") if accel == KVM else ("-smp", "1")
    return [
        *("nsenter", f"--net={host.lab.netns}", "--", PROGRAM, "-name", host.full_name),
        *("-nodefaults", "-display", "none", "-serial", "stdio", "-accel", accel, *processor, "-m", MEMORY),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(own / _INITRAMFS)),
        *("-append", f"console=ttyS0 quiet net.ifnames=0 panic=10 systemd.getty_auto=no{_KERNEL_OPTIONS[accel]}"),
        *("-drive", f"file={own / _DISK},if=virtio,format=qcow2,cache=unsafe,discard=unmap"),
        *("-drive", f"file={image / 'srv.ext4'},if=virtio,format=raw,readonly=on"),
        *("-netdev", f"tap,id=lan,ifname={host.name},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=lan,mac={host.mac},romfile="),
        *("-device", "virtio-rng-pci"),
    ]
