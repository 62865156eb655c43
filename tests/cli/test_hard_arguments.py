"""Arguments that are none: a user's mistake is told as one, and never as a bug."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policylang import Gate, loads
from policylang.cli.app import policylang
from policylang.cli.output import ExitCode


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a decision and a question for somebody."""
    path = str(tmp_path_factory.mktemp("store") / "traces.duckdb")
    policy = 'module shop action ship rule ask: require approval(by: "boss") for ship'
    with Gate.open(loads(policy), store=path) as gate:
        gate.decide("ship", agent="bot-7")
    return path


@pytest.mark.parametrize(
    "words",
    [
        "trace list --since 999999d",
        "trace list --since 0001-01-01T00:00:00+14:00",
        "trace list --until 9999-12-31T23:59:59-14:00",
        "trace list --since yesterday",
        "stop ''",
        "stop agent:",
        "stop action:",
        "trace show \udcff",
        "stop \udcff",
        "stop ship --who \udcff",
        "approvals show \udcff",
        "audit sql \udcff",
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(store: str, words: str) -> None:
    """Times out of any calendar, empty names, and bytes that are no text end with the status of wrong usage."""
    given = ["" if word == "''" else word for word in words.split(" ")]
    found = _run(*given, "--store", store)
    assert found.exit_code == ExitCode.USAGE, found.output


@pytest.mark.parametrize("query", ["", " ; ", "/* nothing */"])
def test_a_query_without_a_query_is_told_so(store: str, query: str) -> None:
    """SQL that asks nothing is no bug of the store."""
    found = _run("audit", "sql", query, "--store", store)
    assert found.exit_code == ExitCode.FAILED
    assert "there is no query in it" in found.output


def test_facts_that_are_no_text_are_wrong_usage(store: str, tmp_path: Path) -> None:
    """A file of bytes is no JSON."""
    (tmp_path / "facts").write_bytes(b"\xbd\xff")
    ticket = _run("approvals", "list", "--store", store).output.split()[0]
    given = ("--as", "ann", "--facts", str(tmp_path / "facts"), "--store", store)
    found = _run("approvals", "grant", ticket, *given)
    assert found.exit_code == ExitCode.USAGE, found.output
    assert "this is no JSON" in found.output


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    """The name of a file that is there is taken, whatever its bytes are."""
    name = bytes(tmp_path / "shop") + b"\xff.policy"
    Path(name.decode(errors="surrogateescape")).write_text(
        "module shop action ship rule all: allow ship"
    )
    found = subprocess.run(
        [sys.executable, "-m", "policylang", "check", name], capture_output=True, check=False
    )
    assert found.returncode == ExitCode.OK, found.stderr


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(policylang, list(arguments))
