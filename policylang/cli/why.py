"""`policylang why`: the proof of a decision or of an atom, or what stood in its way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import json_option, read_input, write_json

if TYPE_CHECKING:
    from policylang.bundle.case import Case
    from policylang.cli.proofs import Answer


@click.command("why")
@click.argument("policy", metavar="POLICY|ID")
@click.argument("atom", metavar="[ATOM]", required=False)
@click.option(
    "--request",
    "request_path",
    metavar="FILE",
    help="The request as JSON; `-` is standard input.",
)
@click.option(
    "--store",
    "store_path",
    metavar="FILE",
    help="Ask about the recorded decision ID of this store, as it was decided then.",
)
@click.option(
    "--not",
    "outcome",
    type=click.Choice(["allow", "deny", "needs_approval"]),
    help="Why the outcome is not this one.",
)
@click.option(
    "--atoms",
    is_flag=True,
    help="Show facts and definitions as they are written, not as sentences.",
)
@click.option(
    "--absent", is_flag=True, help="Show for each `not` why what it denies does not hold."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "svg", "html"]),
    default="text",
    help="Draw the proof as a diagram.",
)
@deployment_options
@json_option
def command(
    policy: str,
    atom: str | None,
    request_path: str | None,
    store_path: str | None,
    outcome: str | None,
    atoms: bool,
    absent: bool,
    form: Literal["text", "mermaid", "svg", "html"],
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    as_json: bool,
) -> None:
    """Show why a request is decided as it is: the rules that decided, down to the facts.

    With ATOM, show why a definition or a fact holds, or which rules come nearest to it. `_` stands
    for any value.

    \b
    policylang why refunds.policy --request request.json
    policylang why refunds.policy 'suspicious("c1")' --request request.json
    policylang why refunds.policy --request request.json --not allow
    policylang why 019ab5c2-... --store traces.duckdb
    """
    if (request_path is None) == (store_path is None):
        raise click.UsageError("give --request with a policy, or --store with the ID of a decision")
    if atom is not None and outcome is not None:
        raise click.UsageError("ATOM and --not are two questions: ask one at a time")
    if store_path is not None:
        if params or reference:
            raise click.UsageError(
                "a recorded decision has the params and reference data of its time"
            )
        case = _recorded(policy, store_path)
    else:
        with Deployment((policy,), params, reference, evaluator).load() as bundle:
            case = bundle.case(read_input(request_path or "-"))
    answer = _answer(case, atom, outcome, atoms=atoms, absent=absent)
    if as_json:
        write_json(answer.json())
    else:
        click.echo(answer.text(form, sys.stdout), color=True)


def _recorded(id_: str, store_path: str) -> Case:
    """A decision as it was made then, with the rules of that version."""
    from policylang.cli.traces import opened
    from policylang.trace.archive import Archive

    with opened(store_path) as view:
        record = view.get(id_)
        if record is None or record.kind != "decision":
            raise click.ClickException(f"there is no decision {id_}")
        archive = Archive(view)
        try:
            return archive.case(record)
        finally:
            archive.close()


def _answer(
    case: Case, atom: str | None, outcome: str | None, *, atoms: bool, absent: bool
) -> Answer:
    from policylang.cli.proofs import about_atom, about_decision, about_outcome
    from policylang.decide.decision import Outcome

    if atom is not None:
        return about_atom(case, atom, atoms=atoms, absent=absent)
    if outcome is not None:
        return about_outcome(case, Outcome(outcome), atoms=atoms)
    return about_decision(case, atoms=atoms, absent=absent)
