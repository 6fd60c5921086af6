# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""overlayd's entry point: parses the options, starts the threads and runs the main loop."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from ..host.device_process import kill_process
from ..host.identity import WIREGUARD_DEVICE, Identity
from ..host.lock import hold_lock
from ..host.log import DEBUG, INFO, log
from ..host.memory import recall
from ..kernel.dataplane import Dataplane
from ..kernel.monitor import Monitor
from ..kernel.starters import register
from ..model.errors import OverlayError
from ..patience import PATIENCE
from .etcd_side import EtcdSide
from .loop import Loop, StartAgainError
from .messages import KernelChanged, Message, Stop
from .notify import notify
from .options import VERSION, Options, connection_of, parse_options
from .status import Status

if TYPE_CHECKING:
    from ..host.udp_process import UdpProcess
    from .extension import ExtensionThread


def main() -> int:
    """Run overlayd with this process's arguments and environment; return the exit status (0, or 1 for an error)."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # as in flanneld
    options = parse_options(sys.argv[1:], os.environ)
    log.level = DEBUG if options.v > 0 else INFO
    if options.ignored:
        log.info("ignored flags of flanneld, as overlayd does not need them: %s", ", ".join(options.ignored))
    try:
        if options.remove:
            from .removal import remove  # the daemon does not need it

            return remove(options, connection_of(options))
        if options.dry_run:
            from .preview import preview

            return preview(options, connection_of(options))
        return _serve(options)
    except OverlayError as error:
        log.error("%s", error)
        return 1


def _serve(options: Options) -> int:
    connection = connection_of(options)
    path = options.memory_file
    hold_lock(path)
    memory = recall(path)
    status = Status()
    _serve_health(options, status)
    register("udp", lambda: _udp_process(options).ensure())
    for name in ("udp", WIREGUARD_DEVICE):
        PATIENCE.register(name, partial(kill_process, path.parent, name))
    if (path.parent / "udp.py").exists():
        _udp_process(options).renew()
    inbox: SimpleQueue[Message] = SimpleQueue()
    extension = _extension(options, inbox)
    identity = Identity(options.host_settings(), memory, extension.lease_data if extension else None)
    monitor = Monitor()
    loop = Loop(inbox, options, identity, path, memory, status, Dataplane(monitor), monitor, extension)
    margin, former = options.subnet_lease_renew_margin * 60.0, memory.config if memory else None
    EtcdSide(connection.observed_by(status.count_request), options.etcd_prefix, margin, identity, inbox, former).start()
    threading.Thread(target=_pass_on, args=(monitor, inbox), name="netlink", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: inbox.put(Stop()))
    log.info("overlayd %s on %s, public IP %s", VERSION, identity.underlay.name, identity.public_ip_text)
    try:
        loop.run()
    except StartAgainError as reason:
        log.info("re-exec: %s", reason)
        notify("RELOADING=1", "STATUS=restarting")
        _stop(extension)
        os.execv(sys.executable, _command_line())
    notify("STOPPING=1")
    _stop(extension)
    return 0


def _extension(options: Options, inbox: SimpleQueue[Message]) -> ExtensionThread | None:
    """Return the thread that runs the extension backend's commands, None if they are not permitted and none was run."""
    if not options.has_commands:
        return None
    from .extension import extension_of  # most hosts do not permit commands

    return extension_of(options, inbox.put)


def _stop(extension: ExtensionThread | None) -> None:
    if extension is not None:
        extension.stop()


def _udp_process(options: Options) -> UdpProcess:
    from ..host.udp_process import UdpProcess  # most hosts do not use it

    return UdpProcess(options.memory_file.parent, options.udp_any_source)


def _command_line() -> list[str]:
    """Return the command line of this process, with the interpreter's own flags."""
    return [word.decode() for word in Path("/proc/self/cmdline").read_bytes().split(bytes(1))[:-1]]


def _serve_health(options: Options, status: Status) -> None:
    if options.healthz_port:
        from .health import serve  # http.server costs memory, and most hosts do not use it

        serve(options.healthz_ip, options.healthz_port, status)
    if options.probe_interval:
        from .probes import start  # most hosts do not use it

        start(status, options.probe_interval, options.probe_peers)


def _pass_on(monitor: Monitor, inbox: SimpleQueue[Message]) -> None:
    """Post a message whenever another program changed a kernel object of the overlay."""
    while True:
        select.select([monitor], [], [])
        if monitor.drain():
            inbox.put(KernelChanged())
