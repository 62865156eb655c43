"""All commands as one tool: `--json`, examples and help everywhere, and a page to start from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from policylang import Gate
from policylang.cli.app import COMMANDS, GROUPS, policylang

Run = Callable[..., Result]

ROOT = Path(__file__).parents[2]

WITHOUT_JSON = {
    "audit shell": "it has `\\json` for what it answers",
    "completion": "what it prints is read by a shell",
    "schema write": "what it prints is JSON, or Python where that is asked for",
    "schema import": "what it prints is a policy",
}


def _leaves(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves(found, (*path, name))


LEAVES = dict(_leaves(policylang))


def _options(name: str) -> list[click.Option]:
    return [each for each in LEAVES[name].params if isinstance(each, click.Option)]


def test_the_walk_finds_all_commands() -> None:
    """The laws below are about every command: each of them is there, itself or by what is under it."""
    assert {name.partition(" ")[0] for name in LEAVES} == set(COMMANDS)
    assert {"trace show", "rollout metric", "audit shell"} <= set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_writes_json_where_it_is_asked_to(name: str) -> None:
    """Each command has `--json`, but for those that are listed with the reason."""
    has = any("--json" in option.opts for option in _options(name))
    assert has is (name not in WITHOUT_JSON)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_shows_an_example(name: str) -> None:
    """The help of each command has a line, set as it is, that starts with its own name."""
    examples = (LEAVES[name].help or "").partition("\b\n")[2].splitlines()
    assert any(f"policylang {name}" in line for line in examples)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_is_on_the_page_of_the_command_line(name: str) -> None:
    """The reference shows the help of each command."""
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert f"$ policylang {name} --help\n" in page


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_says_what_it_is_for(name: str) -> None:
    """No option of a command is without a help text."""
    assert [option.name for option in _options(name) if not option.help] == []


def test_policylang_alone_shows_where_to_start(run: Run) -> None:
    """Without arguments the command names `init` first, then every command in its group, and ends well."""
    shown = run()
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[lines.index("Start here:") + 1].strip().startswith("policylang init ")
    for group, names in GROUPS.items():
        assert f"  {group:9}  {', '.join(names)}" in lines
    assert len(lines) < 20


def test_each_command_stands_in_one_group() -> None:
    """The groups of the first page hold each command, and none of them twice."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


@pytest.fixture
def decision(project: Path) -> str:
    """The identity of a decision that was recorded in `t.duckdb`, by the policy of a new project."""
    with Gate.open(project / "refunds.policy", store=project / "t.duckdb") as gate:
        verdict = gate.decide(
            action="refund",
            args={"customer_id": "c1", "amount": "48.00"},
            agent={"id": "bot-7", "scopes": ["refunds:write"]},
            facts={"customer": {"id": "c1", "tier": "pro"}},
        )
    assert verdict.decision_id is not None
    return verdict.decision_id


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (("trace", "show", "ID"), {"kind": "decision"}),
        (("trace", "fold"), {"damages": []}),
        (("trace", "checkpoint", "kept.json"), {"file": "kept.json"}),
        (("rollout", "metric", "ID", "refunded", "48.00"), {"name": "refunded", "value": "48.00"}),
    ],
)
def test_what_is_done_with_a_store_is_told_as_json(
    arguments: tuple[str, ...], holds: dict[str, object], decision: str, run: Run
) -> None:
    """With `--json` a command answers with one object that says what it did."""
    asked = [decision if each == "ID" else each for each in arguments]
    answer = run(*asked, "--store", "t.duckdb", "--json")
    assert answer.exit_code == 0, answer.output
    assert holds.items() <= json.loads(answer.output).items()


def test_views_and_audits_are_told_as_json(decision: str, run: Run) -> None:
    """Views, their columns and the audits that ship are lists of objects, of the names that the text has."""
    assert decision
    store = ("--store", "t.duckdb")
    views = json.loads(run("audit", "views", "--json", *store).output)
    assert {"decisions", "facts.customer"} <= {each["view"] for each in views}
    columns = json.loads(run("audit", "views", "decisions", "--json", *store).output)
    assert {"column", "type", "about"} == set(columns[0])
    text = run("audit", "views", "decisions", *store).output
    assert all(each["column"] in text and each["about"] in text for each in columns)
    audits = json.loads(run("audit", "list", "--json").output)
    listed = run("audit", "list").output.splitlines()
    assert [line.split()[0] for line in listed] == [each["audit"] for each in audits]


def test_an_unknown_view_is_a_wrong_command_line(decision: str, run: Run) -> None:
    """A view that is not there ends with the status of a wrong command line, with `--json` as well."""
    assert decision
    assert run("audit", "views", "none", "--json", "--store", "t.duckdb").exit_code == 2
