"""`policylang eval`: decisions about requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, json_option, read_input, write_json
from policylang.cli.rendering import decision_text

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.decide.decision import Decision

STREAM_SUFFIXES: Final = {".jsonl", ".ndjson"}


@click.command("eval")
@click.argument("policies", metavar="POLICY...", nargs=-1, required=True)
@click.option(
    "--request",
    "request_path",
    metavar="FILE",
    required=True,
    help="The request as JSON, or many of them, one a line; `-` is standard input.",
)
@click.option(
    "--lines", is_flag=True, help="Every line is a request. Files called *.jsonl need no telling."
)
@deployment_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    policies: tuple[str, ...],
    request_path: str,
    lines: bool,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    as_json: bool,
) -> None:
    """Decide requests by policies, which are files or folders.

    One request ends with 0 for allow, 4 for deny and 5 where an approval is needed. Of many, each line
    is answered by a line of JSON, in order; the status is 1 if a line was no request, and else 0.

    \b
    policylang eval refunds.policy --request request.json
    policylang eval policies/ --request requests.jsonl --param auto_limit=250.00
    """
    with Deployment(policies, params, reference, evaluator).load() as bundle:
        if lines or Path(request_path).suffix in STREAM_SUFFIXES:
            ctx.exit(_stream(bundle, request_path))
        text = read_input(request_path)
        decision = bundle.decide(text)
    if as_json:
        from policylang.decide.json import decision_to_json

        write_json(decision_to_json(decision))
    else:
        click.echo(decision_text(decision, sys.stdout), color=True)
    ctx.exit(exit_code(decision))


def exit_code(decision: Decision) -> ExitCode:
    """The status that says how one request was decided."""
    from policylang.decide.decision import Outcome

    return {
        Outcome.ALLOW: ExitCode.OK,
        Outcome.DENY: ExitCode.DENY,
        Outcome.NEEDS_APPROVAL: ExitCode.NEEDS_APPROVAL,
    }[decision.outcome]


def _stream(bundle: Bundle, path: str) -> ExitCode:
    """Answer every line; the status says whether each of them was a request."""
    from policylang.facts.rejection import RejectionKind

    all_were = True
    for decision in _decisions(bundle, path):
        _answer(decision)
        rejection = decision.rejection
        if rejection is not None and rejection.kind is RejectionKind.BAD_REQUEST:
            all_were = False
    return ExitCode.OK if all_were else ExitCode.FAILED


def _decisions(bundle: Bundle, path: str) -> Iterator[Decision]:
    if path == "-":
        # Whoever writes a line waits for its answer: nothing is read ahead.
        yield from map(bundle.decide, _lines(iter(sys.stdin.buffer.readline, b"")))
        return
    with Path(path).open("rb") as file:
        yield from bundle.decide_many(_lines(iter(file.readline, b"")))


def _lines(lines: Iterator[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip())


def _answer(decision: Decision) -> None:
    from policylang.decide.json import decision_to_json

    write: Callable[[str], object] = sys.stdout.write
    write(json.dumps(decision_to_json(decision), ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()
