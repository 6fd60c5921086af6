# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of every module that talks to etcd."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation only; the argument spec stands in module_utils/_etcd.py."""

    DOCUMENTATION = r"""
options:
  endpoints:
    description:
      - Client URLs of the etcd cluster, such as V(https://192.0.2.1:2379). They are tried in this order.
      - If this is not given, the environment variable E(ETCDCTL_ENDPOINTS) on the target is used. If that is not set
        either, all connection settings not given are those of the overlay agent on the target, from
        C(/etc/overlayd/overlayd.env), so that a host of the overlay needs no option at all. Where that file holds a
        password only root can read it, and this needs C(become).
      - On a target without any of these, V(http://127.0.0.1:2379) is tried.
    type: list
    elements: str
  api:
    description:
      - The etcd API to speak. The two hold separate data, and no tool copies one to the other.
      - With V(auto) it is V(v3), unless only v2 is served, or only v2 holds a network config under O(prefix).
    type: str
    choices: [auto, v2, v3]
    default: auto
  prefix:
    description:
      - The etcd key below which the network lives.
      - If this is not given, it is the agent's where its settings are used (see O(endpoints)), and
        V(/coreos.com/network) elsewhere. Red Hat hosts often use V(/atomic.io/network).
    type: str
  ca_file:
    description:
      - Path on the target of the CA certificate that etcd's own must be signed by.
      - A CA alone is enough for TLS. Without one the CAs of the system are trusted.
      - If this is not given, the environment variable E(ETCDCTL_CACERT) on the target is used.
    type: path
  cert_file:
    description:
      - Path on the target of the client certificate. Needs O(key_file).
      - If this is not given, the environment variable E(ETCDCTL_CERT) on the target is used.
    type: path
  key_file:
    description:
      - Path on the target of the client certificate's key. Needs O(cert_file).
      - If this is not given, the environment variable E(ETCDCTL_KEY) on the target is used.
    type: path
  username:
    description:
      - The etcd user.
      - If this is not given, the environment variable E(ETCDCTL_USER) on the target is used, up to a colon in it.
    type: str
  password:
    description:
      - The etcd user's password. It is never shown.
      - If this is not given, the environment variable E(ETCDCTL_PASSWORD) on the target is used, else what stands
        behind the colon in E(ETCDCTL_USER).
    type: str
  timeout:
    description:
      - How long to wait for an answer, in seconds. Connections to all endpoints are opened at the same time, so that
        endpoints that do not answer cost this time once.
    type: float
    default: 5
requirements:
  - Python 3.9 or later on the target
"""
