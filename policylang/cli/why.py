"""`policylang why`: the proof of a decision or of an atom, or what stood in its way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click
from click.core import ParameterSource

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import json_option, read_input, write_file, write_json
from policylang.cli.traces import STORE_VARIABLE

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.bundle.case import Case
    from policylang.cli.proofs import Answer

_FILE: Final = click.Path(path_type=Path, dir_okay=False)

# A store that is known without being named here says nothing about this question.
_UNASKED: Final = (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


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
    envvar=STORE_VARIABLE,
    help="Ask about the recorded decision ID of this store, as it was decided then.",
)
@click.option(
    "--with",
    "candidate",
    metavar="POLICY",
    help="With --store: ask what these policies decide about the recorded request.",
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
@click.option("--svg", "svg_path", metavar="FILE", type=_FILE, help="Draw the proof into FILE.")
@click.option("--html", "html_path", metavar="FILE", type=_FILE, help="Write it as a page to FILE.")
@deployment_options
@json_option
def command(
    policy: str,
    atom: str | None,
    request_path: str | None,
    store_path: str | None,
    candidate: str | None,
    outcome: str | None,
    atoms: bool,
    absent: bool,
    form: Literal["text", "mermaid", "svg", "html"],
    svg_path: Path | None,
    html_path: Path | None,
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
    policylang why 019ab5c2-... --store traces.duckdb --html proof.html
    policylang why 019ab5c2-... --store traces.duckdb --with next.policy
    """
    deployment = Deployment((candidate or policy,), params, reference, evaluator)
    store = _store(store_path, request_path, candidate, params or reference)
    if atom is not None and outcome is not None:
        raise click.UsageError("ATOM and --not are two questions: ask one at a time")
    if store is not None:
        case = _recorded(policy, store, deployment if candidate else None)
    else:
        with deployment.load() as bundle:
            case = bundle.case(read_input(request_path or "-"))
    answer = _answer(case, atom, outcome, atoms=atoms, absent=absent)
    for path, drawn in ((svg_path, "svg"), (html_path, "html")):
        if path is not None:
            write_file(path, answer.text(drawn, sys.stdout) + "\n")
    if as_json:
        write_json(answer.json())
    else:
        click.echo(answer.text(form, sys.stdout), color=True)


def _store(
    store_path: str | None, request_path: str | None, candidate: str | None, deployed: object
) -> str | None:
    """The store that is asked, or None where a request is; what does not go together is wrong usage."""
    source = click.get_current_context().get_parameter_source("store_path")
    if request_path is not None and source in _UNASKED:
        store_path = None
    if (request_path is None) == (store_path is None):
        raise click.UsageError("give --request with a policy, or --store with the ID of a decision")
    if candidate is not None and store_path is None:
        raise click.UsageError("--with goes with --store: it decides a recorded request")
    if store_path is not None and candidate is None and deployed:
        raise click.UsageError("a recorded decision has the params and reference data of its time")
    return store_path


def _recorded(id_: str, store_path: str, deployment: Deployment | None) -> Case:
    """A decision as it was made then, with the rules of that version, or as a candidate makes it."""
    from policylang.cli.traces import opened
    from policylang.trace.archive import Archive
    from policylang.trace.candidate import Candidate

    with opened(store_path) as view, closing(Archive(view)) as archive:
        record = view.get(id_)
        if record is None and Path(id_).exists():
            raise click.UsageError(
                f"{id_} is a file: `--request FILE` says which request to decide by it"
            )
        if record is None or record.kind != "decision":
            raise click.ClickException(f"there is no decision {id_}")
        if deployment is None:
            return archive.case(record)
        with _candidate(store_path, deployment) as bundle:
            return Candidate(bundle, archive).case(record)


@contextmanager
def _candidate(store_path: str, deployment: Deployment) -> Iterator[Bundle]:
    """The policies that decide instead: a file or folder, or a published version such as `refunds@1.5.0`."""
    name = deployment.policies[0]
    if "@" not in name or Path(name).exists():
        with deployment.load() as bundle:
            yield bundle
        return
    from policylang.cli.operators import changed
    from policylang.rollout.reporting import bundle_with

    with changed(store_path) as store, bundle_with(store, name) as bundle:
        yield bundle


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
