"""Where a record holds values of fields declared `personal` or `secret`, and whom they are about.

A decision's subjects are named by keys: `customer=c-17` is the row of the fact `customer` whose key is `c-17`. Everything
personal in a decision is about all of its subjects, since a message or a derived value may mix them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from policylang.decide.secrets import Secrets, erasable_of
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import to_json
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.facts.types import RefType, base
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Assign,
    Blank,
    Expression,
    Oblige,
    Program,
    RequireApproval,
    Rule,
)
from policylang.trace.keys import Subject
from policylang.trace.sealing import Pointer

LONGEST_SUBJECT: Final = 300
"""Characters of the key in a subject's name; of longer ones the beginning and a hash are kept."""


class Personal:
    """What of a program's records is personal. Made once a program by `personal_of`.

    `marked` tells what that is, in place of fields declared personal or secret.
    """

    def __init__(self, program: Program, marked: Secrets | None = None) -> None:
        self._program = program
        self._marked = erasable_of(program) if marked is None else marked
        self._rules = {rule.name: rule for rule in program.rules}
        relations = program.schema.relations
        self._columns = {
            name: tuple(c.name for i, c in enumerate(relation.columns) if self._is_marked(name, i))
            for name, relation in relations.items()
        }
        self._spoken = frozenset(rule.name for rule in program.rules if self._speaks(rule))

    def __bool__(self) -> bool:
        return bool(self._marked.places)

    def _is_marked(self, relation: str, position: int) -> bool:
        return (relation, position) in self._marked.places

    # --- whom a request is about ---

    def subjects(self, facts: FactSet) -> Iterator[Subject]:
        """The subjects of a request: the keys of its single facts, of rows with personal fields, and what those refer to."""
        for name, rows in facts.rows.items():
            relation = self._program.schema.relations.get(name)
            if relation is None or not (self._columns[name] or _is_one(relation)):
                continue
            for row in rows:
                yield from self._of_row(relation, row)

    def _of_row(self, relation: Relation, row: Row) -> Iterator[Subject]:
        for position, column in enumerate(relation.columns):
            value = row.values[position]
            type_ = column.domain.type
            if isinstance(value, Missing):
                continue
            if isinstance(type_, RefType):
                yield self._subject(type_.relation, value)
            elif position == relation.key:
                yield self._subject(relation.name, value)

    def _subject(self, name: str, value: Value) -> Subject:
        relation = self._program.schema.relations[name]
        key = relation.key
        if key is None:
            return Subject(_named(name, str(value)), is_named=False)
        text = _written(to_json(value, base(relation.columns[key].domain.type)))
        return Subject(_named(name, text), is_named=not self._is_marked(name, key))

    def subjects_received(self, received: object) -> Iterator[Subject]:
        """The subjects of a request that was refused, as far as its facts name them."""
        facts = received.get("facts") if isinstance(received, dict) else None
        for name, relation in self._program.schema.relations.items():
            if relation.kind is not RelationKind.FACT or relation.key is None:
                continue
            given = (
                facts.get(relation.bare_name, facts.get(name)) if isinstance(facts, dict) else None
            )
            key = relation.columns[relation.key].name
            for row in given if isinstance(given, list) else [given]:
                value = row.get(key) if isinstance(row, dict) else None
                if isinstance(value, str | int):
                    named = not self._is_marked(name, relation.key)
                    yield Subject(_named(name, _written(value)), named)

    # --- where ---

    def places(self, body: Mapping[str, Any]) -> Iterator[Pointer]:
        """Where the body of a decision holds what is personal."""
        decision = body["decision"]
        yield from self._in_decision(decision)
        facts = body.get("facts", {})
        for name, rows in facts.get("rows", {}).items():
            for column in self._columns.get(name, ()):
                yield from (("facts", "rows", name, i, "values", column) for i in range(len(rows)))
        for i, change in enumerate(facts.get("changes", ())):
            if change["column"] in self._columns.get(change["relation"], ()):
                yield from (("facts", "changes", i, member) for member in ("received", "became"))
        for i, firing in enumerate(body.get("firings", ())):
            for name in self._marked.variables.get(firing["rule"], ()):
                yield ("firings", i, "bindings", name)
        yield ("received", "text")

    def _in_decision(self, decision: Mapping[str, Any]) -> Iterator[Pointer]:
        refused = list(self._in_rejection(decision.get("rejection", {})))
        for place in refused:
            yield ("decision", "rejection", *place)
        for i, reason in enumerate(decision["reasons"]):
            if refused or reason.get("rule") in self._spoken:
                yield ("decision", "reasons", i, "message")
        for i, requirement in enumerate(decision.get("requires", ())):
            for member in self._required(requirement.get("rule", "")):
                yield ("decision", "requires", i, *member)
        for i, obligation in enumerate(decision.get("obligations", ())):
            for name in self._obliged(obligation["name"]):
                yield ("decision", "obligations", i, "arguments", name)
        for name, assignment in decision.get("values", {}).items():
            if any(self._assigns(rule) for rule in assignment.get("rules", ())):
                yield ("decision", "values", name, "value")

    def _in_rejection(self, rejection: Mapping[str, Any]) -> Iterator[Pointer]:
        """Problems tell what was received: all but at fields that are surely not personal."""
        for i, problem in enumerate(rejection.get("problems", ())):
            if not self._is_plain(problem.get("path", "")):
                yield from (("problems", i, member) for member in ("received", "message", "hint"))

    def _is_plain(self, path: str) -> bool:
        """Whether a path names a declared field that is not personal."""
        fact, _, field = path.rpartition(".")
        for name, relation in self._program.schema.relations.items():
            if fact in (name, relation.bare_name) and any(
                c.name == field for c in relation.columns
            ):
                return field not in self._columns[name]
        return False

    # --- what rules say of it ---

    def _speaks(self, rule: Rule) -> bool:
        """Whether the sentence of a rule may hold something personal."""
        if rule.message is None:
            return isinstance(rule.head, RequireApproval) and any(self._required(rule.name))
        blanks = [part for part in rule.message.parts if isinstance(part, Blank)]
        return any(self._hides(blank.value, rule.name, blank) for blank in blanks)

    def _hides(self, expression: Expression | None, rule: str, blank: Blank | None = None) -> bool:
        reads = () if blank is None else blank.reads
        return expression is not None and self._marked.hides(expression, rule, *reads)

    def _required(self, name: str) -> Iterator[Pointer]:
        rule = self._rules.get(name)
        if rule is None or not isinstance(rule.head, RequireApproval):
            return
        if self._hides(rule.head.by, name):
            yield ("by",)
        if self._hides(rule.head.within, name):
            yield ("within",)
        yield from (("others", n) for n, value in rule.head.others if self._hides(value, name))

    def _obliged(self, name: str) -> Iterator[str]:
        """The arguments of an obligation that some rule gives something personal."""
        for rule in self._program.rules:
            if isinstance(rule.head, Oblige) and rule.head.name == name:
                yield from (n for n, value in rule.head.arguments if self._hides(value, rule.name))

    def _assigns(self, name: str) -> bool:
        rule = self._rules.get(name)
        return (
            rule is not None
            and isinstance(rule.head, Assign)
            and self._hides(rule.head.value, name)
        )

    def row_places(self, relation: str) -> tuple[str, ...]:
        """The personal columns of a relation."""
        return self._columns.get(relation, ())

    def row_subjects(self, relation: str, row: Row) -> tuple[Subject, ...]:
        """The subjects of one row of reference data."""
        return tuple(self._of_row(self._program.schema.relations[relation], row))


def _is_one(relation: Relation) -> bool:
    return relation.kind is RelationKind.FACT and relation.cardinality is not Cardinality.MANY


def _written(form: object) -> str:
    return form if isinstance(form, str) else json.dumps(form, ensure_ascii=False, sort_keys=True)


def _named(relation: str, key: str) -> str:
    if len(key) > LONGEST_SUBJECT:
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        key = f"{key[:LONGEST_SUBJECT]}...{digest}"
    return f"{relation}={key}"


_MOST_KEPT: Final = 64
_MADE: dict[str, Personal] = {}


def personal_of(program: Program) -> Personal:
    """What of a program's records is personal; falsy where no field is declared personal or secret."""
    made = _MADE.get(program.digest)
    if made is None:
        if len(_MADE) >= _MOST_KEPT:
            _MADE.clear()
        made = _MADE[program.digest] = Personal(program)
    return made
