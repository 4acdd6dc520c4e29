"""What a look-alike's server counts: requests, how many at once, and the last ones."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque

# Ids in paths, which would make every request a route of its own in the statistics.
_IDS = re.compile(r"/\d{3,}(?=/|$)")
Logged = tuple[float, str, str, int]


class Stats:
    """What the server has seen. `requests` are (time of arrival, method, path, status), in the
    order in which they ended, the last 100,000; a status of 0 is a connection that was closed
    without an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self.requests: deque[Logged] = deque(maxlen=100_000)
        self.routes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.now = 0
        self.peak = 0

    def enter(self) -> None:
        """A request has begun."""
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)

    def leave(self, arrived: float, method: str, path: str, status: int) -> None:
        """A request has ended that arrived at that time."""
        with self._lock:
            self.now -= 1
            self.requests.append((arrived, method, path, status))
            self.routes[f"{method} {_IDS.sub('/{id}', path)}"] += 1
            self.statuses[status] += 1
            if not self.now:
                self._idle.notify_all()

    def settle(self, seconds: float) -> None:
        """Wait until no request is under way, at most `seconds`: a client has its answer a moment
        before the request is in the books.
        """
        with self._idle:
            self._idle.wait_for(lambda: not self.now, seconds)
