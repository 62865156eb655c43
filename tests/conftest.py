"""What every test shares: how properties are searched, and what CI refuses."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.golden import Golden

# A deadline measures the machine. CI searches the same examples each time, so that a change is
# judged by what it changes.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that writes golden files."""
    parser.addoption(
        "--update-golden", action="store_true", help="write what is made into the golden files"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares golden cases, or writes them where the flag was given."""
    return Golden(update=request.config.getoption("--update-golden"))


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite golden files where nobody reads the difference."""
    if os.environ.get("CI") and config.getoption("--update-golden", default=False):
        raise pytest.UsageError("--update-golden is for a person who reads the difference, not CI")
