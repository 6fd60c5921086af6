# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results of a verification of a fleet of any size, as the role verify registers them, and the leases of its hosts."""

from __future__ import annotations

from typing import Any

NETWORK = "10.50.0.0/16"


def verified_host(number: int, count: int, peers: int = 10) -> dict[str, Any]:
    """Return the variables of host number 0 to count - 1, which sends packets to the next hosts."""
    others = [(number + step) % count for step in range(1, min(peers, count - 1) + 1)]
    return {
        "inventory_hostname": f"h{number}",
        "verify_host": {
            "network": NETWORK,
            "subnet": subnet(number),
            "public_ip": address(number),
            "backend": "vxlan",
            "mtu": 1450,
            "service": {"state": "active"},
            "docker_state": "active",
            "lease_ttl": 86000,
            "peers_expected": count - 1,
            "peers_programmed": count - 1,
            "restart_required": False,
            "restart_problems": [],
            "problems": [],
        },
        "verify_started": {"address": container(number)},
        "verify_probe": {"peers": {container(other): path(0.2 + number % 3 * 5) for other in others}, "problems": []},
    }


def path(milliseconds: float | None, *problems: str) -> dict[str, Any]:
    """Return the result of the packets to one peer."""
    return {"milliseconds": milliseconds, "problems": list(problems)}


def subnet(number: int) -> str:
    """Return the subnet of a host; 256 of each 65536 addresses."""
    return f"10.50.{number // 2}.{number % 2 * 128}/25"


def container(number: int) -> str:
    """Return the address of the host's container."""
    return f"10.50.{number // 2}.{number % 2 * 128 + 2}"


def address(number: int) -> str:
    """Return the public IP of a host."""
    return f"192.0.{2 + number // 200}.{1 + number % 200}"


def lease_of(number: int, **fields: Any) -> dict[str, Any]:
    """Return the lease of a host, as the module subnet_lease_info does."""
    return {
        "key": f"/coreos.com/network/subnets/{subnet(number).replace('/', '-')}",
        "subnet": subnet(number),
        "public_ip": address(number),
        "backend_type": "vxlan",
        "ttl": 86000,
        "reservation": False,
        "problem": None,
        **fields,
    }
