"""`policylang schema`: declarations for callers and models, and drafts of declarations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policylang.cli.output import write_json

if TYPE_CHECKING:
    from policylang.facts.schema import Relation, Schema
    from policylang.semantics.program import Program


class SchemaGroup(click.Group):
    """`schema import ...` is a command of its own; whatever else follows `schema` is written out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Send everything that names no command to `write`."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["write", *args]
        return super().parse_args(ctx, args)


@click.group("schema", cls=SchemaGroup)
def command() -> None:
    """Write what a policy declares for callers and models, or draft declarations from data.

    \b
    policylang schema refunds.policy --action refund
    policylang schema refunds.policy --format pydantic > refund_requests.py
    policylang schema refunds.policy --format openai-tool
    policylang schema import requests.jsonl
    """


@command.command("write")
@click.argument("policies", metavar="POLICY...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "pydantic", "openai-tool", "anthropic-tool"]),
    default="json",
    show_default=True,
    help="JSON Schemas of requests and facts, a Python module, or tools for language models.",
)
@click.option("--action", "actions", multiple=True, help="Only this action (again for others).")
def write(policies: tuple[str, ...], form: str, actions: tuple[str, ...]) -> None:
    """Write what policies declare. (`write` itself may be left out.)

    JSON is an object with the schema of the requests of each action under `requests`, and of each fact under `facts`;
    with one `--action` it is the schema of its requests alone. Tools are a list.

    \b
    policylang schema write refunds.policy --action refund
    policylang schema write refunds.policy --format openai-tool
    """
    from policylang.bundle.loading import load

    with load(*policies) as bundle:
        program = bundle.program
    if form == "pydantic":
        from policylang.facts.pydantic_source import pydantic_source

        click.echo(pydantic_source(program.schema), nl=False)
        return
    chosen = [_action(program.schema, name) for name in actions or program.actions]
    write_json(_tools(program.schema, chosen, form) if form != "json" else _json(program, chosen))


def _action(schema: Schema, name: str) -> Relation:
    from policylang.facts.schema import RelationKind

    found = schema.named(name, RelationKind.ACTION)
    if len(found) == 1:
        return found[0]
    several = " or ".join(f"`{relation.name}`" for relation in found)
    raise click.UsageError(
        f"`{name}` may be {several}" if found else f"no module declares the action `{name}`"
    )


def _tools(schema: Schema, actions: list[Relation], form: str) -> list[dict[str, Any]]:
    from policylang.facts.json_schema import anthropic_tool, openai_tool

    tool = openai_tool if form == "openai-tool" else anthropic_tool
    return [tool(schema, action) for action in actions]


def _json(program: Program, actions: list[Relation]) -> dict[str, Any]:
    from policylang.facts.json_schema import fact_schema, request_schema
    from policylang.facts.schema import RelationKind
    from policylang.semantics.slicing import slice_for

    requests = {
        action.name: request_schema(
            program.schema, action.name, slice_for(program, action.name).relations
        )
        for action in actions
    }
    if len(actions) == 1:
        return requests[actions[0].name]
    facts = [r for r in program.schema.relations.values() if r.kind is RelationKind.FACT]
    return {"requests": requests, "facts": {fact.name: fact_schema(fact) for fact in facts}}


# --- drafts ---------------------------------------------------------------------------------------------


@command.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("--name", help="The module's name (the file's, where nothing is said).")
@click.option(
    "--as",
    "keyword",
    type=click.Choice(["action", "fact", "facts"]),
    help="What an object is declared as; tools are actions, rows of a sample are facts.",
)
@click.option("--rows", default=100_000, show_default=True, help="Rows of a sample to look at.")
def import_(source: str, name: str | None, keyword: str | None, rows: int) -> None:
    """Draft declarations from SOURCE, and print them, with the grounds of every guess beside it.

    SOURCE is a JSON Schema or a list of tools (*.json), a sample of requests or of rows, one object a line
    (*.jsonl), or a pydantic model (module:Class).

    \b
    policylang schema import tools.json > tools.policy
    policylang schema import requests.jsonl
    policylang schema import shop.models:Order --as fact
    """
    from policylang.diagnostics import Source
    from policylang.syntax import format_source

    text = _draft(source, name, keyword, rows)
    formatted = format_source(Source("draft.policy", text))
    click.echo(formatted if isinstance(formatted, str) else text, nl=False)


def _draft(source: str, name: str | None, keyword: str | None, rows: int) -> str:
    path = Path(source)
    for suffixes, draft in _DRAFTS.items():
        if path.suffix.lower() in suffixes:
            return draft(path, name or path.stem, keyword, rows)
    if ":" in source:
        return _from_model(source, name, keyword)
    raise click.UsageError(f"`{source}` is no .json, no .jsonl and no module:Class")


_SCHEMA_WORDS: Final = frozenset(
    {"$schema", "$ref", "$defs", "definitions", "type", "properties", "allOf", "anyOf", "oneOf"}
    | {"enum", "const", "tools", "function", "parameters", "input_schema", "inputSchema"}
)
"""Words of which a schema, or a tool, has at least one."""


def _from_schema(path: Path, name: str, keyword: str | None, _rows: int) -> str:
    from policylang.facts.drafts import draft_from_schema

    try:
        schema = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{path}: this is not JSON: {error}") from error
    if isinstance(schema, list):
        schema = {"tools": schema}
    if not isinstance(schema, Mapping) or not _SCHEMA_WORDS.intersection(schema):
        raise click.ClickException(
            f"{path}: this is no JSON Schema and no list of tools; a sample, with one object a line, is a *.jsonl"
        )
    return draft_from_schema(schema, name, path.name, keyword or "action")


def _from_sample(path: Path, name: str, keyword: str | None, rows: int) -> str:
    from policylang.facts.drafts import Sample
    from policylang.facts.forms import Unfit
    from policylang.facts.json_text import read_json

    sample = Sample(name, keyword or "facts")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if sample.rows >= rows:
                break
            if not line.strip():
                continue
            try:
                sample.add(read_json(line))
            except Unfit as unfit:
                click.echo(f"{path}:{number}: left out: {unfit.detail}", err=True)
    if not sample.rows:
        raise click.ClickException(f"{path}: it holds no object")
    return sample.draft(name, path.name)


_DRAFTS: Final[dict[tuple[str, ...], Callable[[Path, str, str | None, int], str]]] = {
    (".json",): _from_schema,
    (".jsonl", ".ndjson"): _from_sample,
}


def _from_model(source: str, name: str | None, keyword: str | None) -> str:
    from pydantic import BaseModel

    from policylang.facts.drafts import draft_from_schema

    module, _, attribute = source.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        model = getattr(import_module(module), attribute, None)
    except ImportError as error:
        raise click.ClickException(f"`{module}` cannot be imported: {error}") from error
    finally:
        sys.path.pop(0)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise click.ClickException(f"`{source}` is no pydantic model")
    schema = model.model_json_schema()
    return draft_from_schema(schema, name or module.rpartition(".")[2], source, keyword or "fact")
