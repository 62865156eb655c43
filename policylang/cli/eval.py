"""`policylang eval`: decisions about requests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, json_option, read_input, write_json
from policylang.cli.progress import Read, shown
from policylang.cli.rendering import decision_text

if TYPE_CHECKING:
    from policylang.bundle.batch import AnswerLine
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
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="How many processes answer the lines of a stream; the order stays.",
)
@deployment_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    policies: tuple[str, ...],
    request_path: str,
    lines: bool,
    jobs: int,
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
    policylang eval policies/ --request requests.jsonl --jobs 4 > answers.jsonl
    """
    with Deployment(policies, params, reference, evaluator).load() as bundle:
        if lines or Path(request_path).suffix in STREAM_SUFFIXES:
            ctx.exit(_stream(bundle, request_path, jobs))
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


def _stream(bundle: Bundle, path: str, jobs: int) -> ExitCode:
    """Answer every line; the status says whether each of them was a request."""
    all_were = True
    write: Callable[[str], object] = sys.stdout.write
    for answer in _answers(bundle, path, jobs):
        write(answer.text + "\n")
        if path == "-" and jobs == 1:
            sys.stdout.flush()
        all_were = all_were and answer.is_request
    sys.stdout.flush()
    return ExitCode.OK if all_were else ExitCode.FAILED


def _answers(bundle: Bundle, path: str, jobs: int) -> Iterator[AnswerLine]:
    from policylang.bundle.batch import answer_lines, line_of

    if path != "-":
        with Path(path).open("rb") as file, shown(Path(path).stat().st_size) as read:
            lines = _lines(iter(file.readline, b""), read)
            yield from answer_lines(bundle, lines, jobs=jobs)
    elif jobs > 1:
        lines = _lines(iter(sys.stdin.buffer.readline, b""), _nobody)
        yield from answer_lines(bundle, lines, jobs=jobs)
    else:
        # Whoever writes a line waits for its answer: nothing is read ahead.
        for line in _lines(iter(sys.stdin.buffer.readline, b""), _nobody):
            yield line_of(bundle.decide(line))


def _lines(lines: Iterator[bytes], read: Read) -> Iterator[bytes]:
    """The lines that hold something; `read` is told the bytes of each."""
    for line in lines:
        read(len(line))
        if line.strip():
            yield line


def _nobody(_count: int) -> None:
    """What is read from a pipe has no known end to show the way to."""
