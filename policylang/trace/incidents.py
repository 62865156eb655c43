"""Differences between two evaluators, as records of the kind `incident`.

What is secret or personal is masked in them: the decision itself is a record of its own, and holds all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from policylang.bundle.verifying import Incident
from policylang.decide.json import FiringsWriter, facts_to_json
from policylang.decide.secrets import Secrets, erasable_of
from policylang.decide.wording import SECRET_WORD
from policylang.evaluate.firings import Evaluation, Failure, Firing
from policylang.facts.forms import write_datetime
from policylang.semantics.program import Program

INCIDENT: Final = "incident"
"""The kind of the records."""

MOST_FIRINGS: Final = 100
"""Firings that are told of one side; the others are counted."""


class Recording(Protocol):
    """Something that keeps records: a store."""

    def write(self, kind: str, body: dict[str, Any]) -> str:
        """Record a body under a kind."""
        ...


def incident_recorder(store: Recording) -> Callable[[Incident], object]:
    """What `load(..., verify=RATE, on_incident=...)` is given, so that each difference is a record of the store."""
    return lambda incident: store.write(INCIDENT, incident_body(incident))


def incident_body(incident: Incident) -> dict[str, Any]:
    """What an `incident` record says: the request, and of both sides what the other has not."""
    program, facts = incident.program, incident.facts
    hidden = erasable_of(program)
    form = facts_to_json(facts, program.schema)
    form.pop("changes", None)
    return {
        "found_at": write_datetime(incident.at),
        "program": program.digest,
        "action": facts.action,
        "facts": _masked(form, program, hidden),
        "live": _side(incident.live, incident.again, incident.live_by, program, hidden),
        "again": _side(incident.again, incident.live, incident.again_by, program, hidden),
    }


def _masked(form: dict[str, Any], program: Program, hidden: Secrets) -> dict[str, Any]:
    names = {
        (name, program.schema.relations[name].columns[position].name)
        for name, position in hidden.places
        if name in program.schema.relations
    }
    rows = {
        name: [
            {
                **row,
                "values": {
                    column: SECRET_WORD if (name, column) in names else value
                    for column, value in row["values"].items()
                },
            }
            for row in given
        ]
        for name, given in form.get("rows", {}).items()
    }
    return {**form, "rows": rows}


def _side(
    made: Evaluation, other: Evaluation, by: str, program: Program, hidden: Secrets
) -> dict[str, Any]:
    if isinstance(made, Failure):
        rule = {"rule": made.rule} if made.rule else {}
        return {"by": by, "failure": {"code": made.code, "message": made.message, **rule}}
    theirs = frozenset(() if isinstance(other, Failure) else other.firings)
    only = [firing for firing in made.firings if firing not in theirs]
    shown = _firings(only[:MOST_FIRINGS], program, hidden)
    more = {"more": len(only) - MOST_FIRINGS} if len(only) > MOST_FIRINGS else {}
    return {"by": by, "firings": len(made.firings), "only": shown, **more}


def _firings(firings: list[Firing], program: Program, hidden: Secrets) -> list[dict[str, Any]]:
    forms = FiringsWriter(program).write(firings)
    for form in forms:
        names = hidden.variables.get(form["rule"], frozenset())
        for name in names & form.get("bindings", {}).keys():
            form["bindings"][name] = SECRET_WORD
    return forms
