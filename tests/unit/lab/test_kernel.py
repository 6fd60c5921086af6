# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The initramfs of QEMU's guests: the modules that it loads, and its archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from overlaylab import kernel
from overlaylab.process import LabError

DEPENDENCIES = """\
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2/jbd2.ko.xz: kernel/lib/crc16.ko.xz
kernel/lib/crc16.ko.xz:
kernel/drivers/char/hw_random/virtio-rng.ko.xz:
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """The folder of a kernel's modules."""
    (tmp_path / "modules.dep").write_text(DEPENDENCIES)
    (tmp_path / "modules.builtin").write_text("kernel/drivers/virtio/virtio_pci.ko\n")
    return tmp_path


def test_modules_are_listed_after_what_they_depend_on_and_without_those_of_the_kernel(modules: Path) -> None:
    found = kernel.needed_modules(modules, ("virtio_pci", "ext4", "virtio_rng", "jbd2"))
    assert [Path(path).name for path in found] == ["crc16.ko.xz", "jbd2.ko.xz", "ext4.ko.xz", "virtio-rng.ko.xz"]


def test_a_kernel_without_a_needed_module_is_refused(modules: Path) -> None:
    with pytest.raises(LabError, match=r"has no module 9p, which a guest needs"):
        kernel.needed_modules(modules, ("9p",))


def test_each_entry_of_an_archive_begins_at_a_multiple_of_four() -> None:
    entries = [kernel.cpio("folder", 0o40700), kernel.cpio("folder/file", 0o100640, b"odd"), kernel.END]
    assert [len(entry) % 4 for entry in entries] == [0, 0, 0]
    assert entries[1][:6] == b"070701"
    assert (int(entries[1][14:22], 16), int(entries[1][54:62], 16)) == (0o100640, 3)  # mode and size
    assert entries[1][110:].split(b"\0", 1) == [b"folder/file", b"\0\0odd\0"]
