# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which kernel objects belong to the overlay: the one rule that observation, plan and notifications share.

Managed by overlayd are

- the tunnel devices of the network config and of a former one, by name, with every row on them, whoever added it: a
  host that ran flanneld is taken over as it is;
- elsewhere, routes inside the overlay network and next hops that carry our protocol number.

Everything else belongs to others and is never changed, with one exception: a route that flanneld left is adopted where
it is exactly the wanted one (tables/route.py).
"""

from __future__ import annotations

# Marks our routes and next hops. It has no name in iproute2's rt_protos and is below the routing daemons' (186 and up).
PROTOCOL = 158
