# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run on a member: waits until etcd is healthy; exits with 1 and the last answer if it is not in time."""

from __future__ import annotations

import json
import ssl
import sys
import time
import urllib.request

PAUSE = 0.3  # seconds between two requests
PATIENCE = 5.0  # seconds for an answer


def context(ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext | None:
    """Return the TLS settings, None without a CA."""
    if not ca_file:
        return None
    settings = ssl.create_default_context(cafile=ca_file)
    settings.load_cert_chain(cert_file, key_file)
    return settings


def problem(url: str, tls: ssl.SSLContext | None) -> str:
    """Return why the member at the URL is not healthy, nothing if it is."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE, context=tls) as answer:
            return "" if answer.status == 200 else f"{url} answered {answer.status}"
    except (OSError, ValueError) as error:
        return f"{url}: {error}"


def main(settings: dict[str, str], seconds: float) -> str:
    """Wait for at most that many seconds; return the last problem, nothing if there is none."""
    end = time.monotonic() + seconds
    tls = context(settings["ca"], settings["cert"], settings["key"])
    while True:
        last = problem(settings["url"], tls)
        if not last or time.monotonic() > end:
            return last
        time.sleep(PAUSE)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), float(sys.argv[2])) or 0)
