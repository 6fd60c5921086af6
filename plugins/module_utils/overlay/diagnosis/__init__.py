# Copyright (c) 2026 clusternet.overlay contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Diagnosis of a host of the overlay: facts gathered once, and checks that judge them; changes nothing."""
