# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Client of etcd: one interface (snapshot, watch, compare-and-swap) for the v2 API and the v3 JSON gateway."""
