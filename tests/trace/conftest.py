"""What the tests of traces share."""

from __future__ import annotations

from tests.cli.conftest import run

__all__ = ["run"]
