"""`policylang stdlib`."""

from __future__ import annotations

import json

from policylang.packaged import stdlib_names, stdlib_source
from tests.cli.conftest import Run


def test_list_names_every_module(run: Run) -> None:
    """Each module stands on a line with its version and its first sentence."""
    lines = run("stdlib", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == [f"std.{name}" for name in stdlib_names()]
    assert all(line.endswith(".") for line in lines)


def test_list_as_json(run: Run) -> None:
    """The list is also JSON."""
    listed = json.loads(run("stdlib", "list", "--json").output)
    assert {entry["name"] for entry in listed} == {f"std.{name}" for name in stdlib_names()}
    assert all(entry["version"] and entry["summary"] for entry in listed)


def test_show_writes_the_file(run: Run) -> None:
    """What is shown is the module as it ships, with or without the prefix."""
    source = (stdlib_source("agents") or b"").decode()
    assert run("stdlib", "show", "agents").output == source
    assert run("stdlib", "show", "std.agents").output == source


def test_an_outline_says_what_is_declared_and_not_how(run: Run) -> None:
    """The outline has forms and doc comments, and no conditions."""
    outline = run("stdlib", "show", "agents", "--outline").output
    assert "\nholds(A, S)\n    The agent holds the scope." in outline
    assert "may_lend(B, S)" not in outline


def test_an_outline_as_json(run: Run) -> None:
    """The outline is also JSON: kind, name, form and doc of everything that is declared."""
    outline = json.loads(run("stdlib", "show", "roles", "--outline", "--json").output)
    declared = {entry["name"]: entry for entry in outline["declared"]}
    assert declared["may"]["form"] == "may(W, V, K)"
    assert declared["role"]["kind"] == "fact"


def test_an_unknown_module_is_told_with_what_is_close(run: Run) -> None:
    """A slip in the name is a usage error that names what was meant."""
    result = run("stdlib", "show", "agent")
    assert result.exit_code == 2
    assert "did you mean `std.agents`?" in result.output
