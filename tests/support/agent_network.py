# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An overlay network in etcd: an empty prefix, whose config and leases a test reads and writes."""

from __future__ import annotations

import json
import uuid
from typing import Any

from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.api_choice import EtcdConnection, connect
from ansible_collections.clusternet.overlay.plugins.module_utils.overlay.store.protocol import Item

RANGE = "10.50.0.0/16"
TIMEOUT = 30.0  # seconds; longer than a user's, because a busy disk delays etcd
INNER = ("VNI", "Port", "MTU", "DirectRouting", "PSK", "ListenPort", "PersistentKeepaliveInterval", "Mode")


class Network:
    """The keys below a prefix."""

    def __init__(self, endpoint: str, api: str = "v3", prefix: str = "") -> None:
        self.endpoint = endpoint
        self.api = api
        self.prefix = prefix or f"/test/{uuid.uuid4().hex}"
        self.store = connect(EtcdConnection((endpoint,), api=api, timeout=TIMEOUT))

    def close(self) -> None:
        """Close the connection."""
        self.store.close()

    def configure(self, backend: str = "vxlan", network: str = RANGE, **keys: Any) -> None:
        """Write the network config; the keys VNI, Port, MTU, DirectRouting and commands belong to its Backend."""
        inner = {name: keys.pop(name) for name in list(keys) if name in INNER or name.endswith("Command")}
        self.put("config", json.dumps({"Network": network, **keys, "Backend": {"Type": backend, **inner}}))

    def key(self, name: str) -> str:
        """Return the full key."""
        return f"{self.prefix}/{name}"

    def put(self, name: str, value: str, ttl: int | None = None) -> Item:
        """Write a key, whether or not it exists."""
        item = self.get(name)
        return self.store.create(self.key(name), value, ttl) if item is None else self.store.replace(item, value, ttl)

    def get(self, name: str) -> Item | None:
        """Return a key, None if it does not exist."""
        return self.store.get(self.key(name))

    def item(self, name: str) -> Item:
        """Return a key that exists."""
        item = self.get(name)
        assert item is not None, f"no key {self.key(name)}"
        return item

    def value(self, name: str) -> str | None:
        """Return the value of a key, None if it does not exist."""
        item = self.get(name)
        return item.value if item else None

    def keys(self, folder: str) -> list[str]:
        """Return the last parts of the keys in a folder, sorted."""
        return sorted(key.rpartition("/")[2] for key in self.store.snapshot(self.key(folder))[0])

    def delete(self, name: str) -> None:
        """Delete a key that exists."""
        self.store.delete(self.item(name))

    @staticmethod
    def lease_name(subnet: str) -> str:
        """Return the name of a subnet's key, such as subnets/10.50.7.0-24."""
        return f"subnets/{subnet.replace('/', '-')}"

    def lease(
        self, subnet: str, public_ip: str, mac: str = "", ttl: int | None = 3600, folder: str = "", **fields: Any
    ) -> str:
        """Write a peer's lease and return the name of its key.

        It is a lease of vxlan if it has a MAC, else of host-gw. With a ``folder``, such as backup/, it is a nested key.
        """
        value: dict[str, Any] = {"PublicIP": public_ip, "PublicIPv6": None}
        value |= (
            {"BackendType": "vxlan", "BackendData": {"VNI": 1, "VtepMAC": mac}} if mac else {"BackendType": "host-gw"}
        )
        name = f"subnets/{folder}{subnet.replace('/', '-')}"
        self.put(name, json.dumps({**value, **fields}), ttl)
        return name

    def leases(self) -> dict[str, dict[str, Any]]:
        """Return the value of each lease by its subnet."""
        items, _unused = self.store.snapshot(self.key("subnets"))
        return {key.rpartition("/")[2].replace("-", "/"): json.loads(item.value) for key, item in items.items()}

    def lease_item(self, subnet: str) -> Item:
        """Return the key of a subnet's lease, which exists."""
        item = self.get(self.lease_name(subnet))
        assert item is not None, f"no lease of {subnet} among {sorted(self.leases())}"
        return item
