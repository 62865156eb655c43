"""Who may answer for an approval: the policy decides, by an action of its own.

For the call `refund` it is the action `approve_refund` of the same module, or else one called `approve`. It is decided
with the facts of the person as the fact `approver` (or `agent`, where none is declared), and with those arguments that it
declares: any of the call's own, and `by` (the role that is answered for), `action`, `requested_by`, `subject` and `ticket`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from policylang.bundle.case import Case
from policylang.diagnostics import Diagnostic
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.gate import approval_codes as codes
from policylang.gate.approvals import Approval
from policylang.rollout.deciding import Decided, Decider
from policylang.semantics.program import Program

APPROVE: Final = "approve"
"""The action that is asked where no other is configured: `approve_` and the name of the call, or this alone."""

APPROVER: Final = "approver"
"""The fact that holds who answers; `agent` where the policy declares none."""

_AGENT: Final = "agent"


@dataclass(frozen=True, slots=True)
class Person:
    """Who answers: an identity that the caller has made sure of, and facts by name as in a request."""

    id: str
    facts: Mapping[str, Any]


def approving_action(
    program: Program, action: str, configured: Mapping[str, str]
) -> str | Diagnostic:
    """The qualified name of the action that decides who may answer for calls of an action."""
    module, _, name = action.rpartition(".")
    schema = program.schema
    named = configured.get(action) or configured.get(name)
    wanted = [named] if named else [f"{module}.{APPROVE}_{name}", f"{APPROVE}_{name}", APPROVE]
    for candidate in wanted:
        found = schema.named(candidate, RelationKind.ACTION)
        if len(found) == 1:
            return found[0].name
    return codes.NO_RIGHTS_DECLARED.at(None, action=name, name=named or f"{APPROVE}_{name}")


def decide_rights(
    decider: Decider, deciding: str, approval: Approval, role: str, person: Person
) -> Decided:
    """The decision whether a person may answer for a role."""
    return decider.decide(_request(decider.program.schema, deciding, approval, role, person))


def _request(
    schema: Schema, deciding: str, approval: Approval, role: str, person: Person
) -> dict[str, Any]:
    declared = schema.relations[deciding].columns
    special = {
        "by": role,
        "action": approval.action.rpartition(".")[2],
        "requested_by": approval.agent,
        "subject": approval.subject or None,
        "ticket": approval.id,
    }
    known = {**approval.shown["arguments"], **special}
    arguments = {column.name: known[column.name] for column in declared if column.name in known}
    return {
        "action": deciding,
        "args": {"value": arguments, "source": "system"},
        "facts": _facts(schema, person),
    }


def _facts(schema: Schema, person: Person) -> dict[str, Any]:
    """The facts that were given, with the identity in that of the person: nobody answers as somebody else."""
    facts = dict(person.facts)
    relation = _fact_of_person(schema)
    if relation is None:
        return facts
    field, name = _identifying(relation), relation.bare_name
    given = facts.get(name, {})
    row = dict(given) if isinstance(given, Mapping) else {}
    if field is not None:
        row[field] = person.id
    facts[name] = row
    return facts


def _fact_of_person(schema: Schema) -> Relation | None:
    """The fact that holds who answers, where there is one with one row."""
    name = APPROVER if schema.named(APPROVER, RelationKind.FACT) else _AGENT
    declared = schema.named(name, RelationKind.FACT)
    if not declared or declared[0].cardinality is Cardinality.MANY:
        return None
    return declared[0]


def _identifying(relation: Relation) -> str | None:
    """The field that the identity stands in: the key, or else the one called `id`."""
    key = next((c.name for c in relation.columns if c.key), None)
    return key or next((c.name for c in relation.columns if c.name == "id"), None)


def person_seen(case: Case, person: Person) -> Person:
    """The person with the identity that the rules saw: who is one person to the policy does not answer as two."""
    relation = _fact_of_person(case.program.schema)
    field = None if relation is None else _identifying(relation)
    rows = case.facts.of(relation.name) if case.facts is not None and relation is not None else ()
    if relation is None or field is None or not rows:
        return person
    value = rows[0].values[relation.position(field)]
    return replace(person, id=value) if isinstance(value, str) and value else person
