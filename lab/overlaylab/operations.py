# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations on a lab: start, remove, status, inventory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from . import disk, host, image, network, ssh, vm, vm_image
from .process import LabError, only_one
from .settings import MAX_HOSTS, NSPAWN, PREFIX, VM, Host, Lab

_BOOT_SECONDS = {NSPAWN: 60.0, VM: 1800.0}  # an emulated processor on a busy machine needs minutes
_DEFAULT_HOSTS = 3
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 1024  # a host needs about six, and with the kernel's 128 the systemd of some hosts fails to start


def up(lab: Lab, wanted: int) -> None:
    """Start `wanted` hosts (0: those the lab has, or three); also completes an interrupted run."""
    present = lab.hosts()
    count = wanted or len(present) or _DEFAULT_HOSTS
    if count > MAX_HOSTS:
        raise LabError(f"a lab has at most {MAX_HOSTS} hosts, not {count}")
    if count < len(present):
        raise LabError(f"lab {lab.name} has {len(present)} hosts, more than {count}; `lab/lab down` removes them")
    _check_machine(lab)
    base = lab.image if lab.image.is_symlink() else build(lab)
    _raise_inotify_limit()
    began = time.monotonic()
    with _alone(lab):
        if not base.is_dir():
            raise LabError(f"the image of lab {lab.name} no longer exists; run `lab/lab down`, then `lab/lab up`")
        image.hold(base)  # until the supervisors hold it
        disk.prepare(lab, base, count)
        if not network.bridge_is_whole(lab):
            for each in lab.hosts():
                host.stop(each)
            network.make_bridge(lab)
        started = [each for each in lab.hosts() if host.start(each)]
    wait(lab.hosts(), began)
    if not started:
        print(f"lab {lab.name} was already up")


def build(lab: Lab) -> Path:
    """The image of the lab's hosts, built if it is missing."""
    return vm_image.build(lab.cache) if lab.kind == VM else image.build(lab.cache)


def down(lab: Lab) -> None:
    """Remove everything of the lab, also of an incomplete one."""
    with _alone(lab):
        existed = lab.directory.exists() or lab.netns.exists()
        if lab.directory.exists():
            disk.check_owner(lab)
        for number in range(1, MAX_HOSTS + 1):
            host.stop(lab.host(number))
        network.remove_namespace(lab.netns)
        disk.remove(lab)
    print(f"lab {lab.name} is down" if existed else f"lab {lab.name} was not up")


def start(lab: Lab, name: str) -> None:
    """Boot one host; no error if it runs."""
    _check_machine(lab)
    began = time.monotonic()
    with _alone(lab):
        one = lab.named(name)
        if not network.bridge_is_whole(lab):
            raise LabError(f"the bridge of lab {lab.name} does not exist; run `lab/lab up`")
        host.start(one)
    wait([one], began)


def stop(lab: Lab, name: str) -> None:
    """Power one host off without a shutdown; its disk is kept."""
    with _alone(lab):
        was_on = host.stop(lab.named(name))
    print(f"{name}  off" if was_on else f"{name} was already off")


def wait(hosts: Iterable[Host], began: float) -> None:
    """Wait until the hosts are ready; print the seconds since `began` (of time.monotonic) for each."""
    with ThreadPoolExecutor(MAX_HOSTS) as pool:
        waiting = [(each, pool.submit(host.wait, each, _BOOT_SECONDS[each.lab.kind])) for each in hosts]
        for one, ready in waiting:
            state = ready.result()
            print(f"{one.name}  {one.address}  {state}  {time.monotonic() - began:.1f} s", flush=True)


def status(lab: Lab) -> bool:
    """Print the state of each host; return whether all are running."""
    states = {one: host.state(one) for one in lab.hosts()}
    for one, state in states.items():
        print(f"{one.name}  {one.address}  {state}")
    if not states:
        print(f"lab {lab.name} is down")
    return bool(states) and all(state == "running" for state in states.values())


def inventory(lab: Lab, wanted: int) -> str:
    """The inventory of the lab as YAML: `wanted` hosts (0: those it has, or three) in the groups etcd and overlay."""
    count = wanted or len(lab.hosts()) or _DEFAULT_HOSTS
    hosts = [lab.host(number) for number in range(1, count + 1)]
    members = "".join(f"        {one.name}:\n" for one in hosts)
    arguments = " ".join(f"-o {option}" for option in ssh.options(lab))
    return (
        "all:\n  hosts:\n"
        + "".join(f"    {one.name}:\n      ansible_host: {one.address}\n" for one in hosts)
        + f"  children:\n    etcd:\n      hosts:\n{members}    overlay:\n      hosts:\n{members}"
        + "  vars:\n    ansible_user: root\n    ansible_python_interpreter: /usr/bin/python3\n"
        + f"    ansible_ssh_private_key_file: {lab.key}\n    ansible_ssh_pipelining: true\n"
        + f"    ansible_ssh_args: >-\n      {arguments}\n"
    )


def _check_machine(lab: Lab) -> None:
    """Raise LabError if this machine cannot run the lab's kind of hosts; before anything is changed."""
    if lab.kind == VM:
        vm.check_machine(os.environ)


def _raise_inotify_limit() -> None:
    """Allow as many inotify instances as several labs need; the machine's own programs count against the same limit."""
    with suppress(OSError):  # a machine that forbids the change may still have enough
        if int(_INOTIFY.read_text()) < _INOTIFY_INSTANCES:
            _INOTIFY.write_text(str(_INOTIFY_INSTANCES))


def _alone(lab: Lab) -> AbstractContextManager[None]:
    return only_one(f"{PREFIX} command on lab {lab.name}", 120)
