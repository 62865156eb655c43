"""Identities of records: time-ordered, unique, and monotonic in a process whatever its clock does."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable


class Identities:
    """Makes UUIDs of version 7 (RFC 9562), each greater than the one before. Thread-safe.

    A clock that jumps back does not bring an order back: time then stands still until the clock has caught up.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> str:
        """The next identity: 48 bits of milliseconds, then 12 bits that count within one, then 62 random bits."""
        with self._lock:
            now = int(self._clock() * 1000) << 12
            self._last = max(now, self._last + 1)
            last = self._last
        random = int.from_bytes(os.urandom(8)) >> 2
        number = (last >> 12) << 80 | 7 << 76 | (last & 0xFFF) << 64 | 2 << 62 | random
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def timestamp(self) -> str:
        """The clock's reading in UTC, as a record holds it."""
        moment = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
