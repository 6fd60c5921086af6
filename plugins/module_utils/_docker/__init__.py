# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker's side of a host: dockerd's options, its unit and drop-in, daemon.json, the running engine."""
