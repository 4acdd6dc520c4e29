"""What commands do, callable without a terminal."""

from __future__ import annotations

NO_LIMIT = 1 << 62
"""Where a limit is asked for and all is meant: more than there is of anything."""
