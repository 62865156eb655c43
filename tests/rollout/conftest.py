"""What the tests of rollouts share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policylang.trace.store import TraceStore
from tests.rollout.shop import path_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TraceStore]:
    """An empty store."""
    with TraceStore.open(path_of(tmp_path), durability="buffered") as opened:
        yield opened
