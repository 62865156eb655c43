"""Paths: `customer.tier`, `order.customer.tier`, `now`, and what a call reads rows of."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.diagnostics import Span
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.facts.types import Field, ListType, RecordType, RefType, Type
from policylang.semantics import codes
from policylang.semantics.lowering.context import Scope
from policylang.semantics.names import NOW, Found, Kind
from policylang.semantics.origins import origin_of
from policylang.semantics.program import ANY, Argument, Match, Variable
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type
from policylang.syntax import tree


@dataclass(frozen=True, slots=True)
class Step:
    """One field read on the way of a path: of which relation, and how the path is written so far."""

    relation: Relation
    position: int
    key: str
    text: str
    span: Span

    @property
    def column(self) -> Field:
        """The field."""
        return self.relation.columns[self.position]


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path into single rows: each step but the last holds a reference that the next one follows."""

    steps: tuple[Step, ...]

    @property
    def type(self) -> Type:
        """The type of its value."""
        return self.steps[-1].column.domain.type

    @property
    def key(self) -> str:
        """What tells it apart from other paths, however it is written."""
        return self.steps[-1].key

    @property
    def may_be_missing(self) -> bool:
        """Whether a request may lack its value: an optional field or fact, a dangling reference."""
        first = self.steps[0].relation.cardinality is Cardinality.OPTIONAL
        *references, last = self.steps
        return first or last.column.optional or any(map(_may_lead_nowhere, references))


def _may_lead_nowhere(step: Step) -> bool:
    kind = step.column.domain.type
    return step.column.optional or (isinstance(kind, RefType) and kind.dangling)


def now_path(span: Span, scope: Scope) -> FieldPath:
    """The path that `now` stands for."""
    relation = scope.rule.world.relations[NOW]
    return FieldPath((Step(relation, 0, NOW, NOW, span),))


def field_path(scope: Scope, path: tree.Path, found: Found) -> FieldPath | None:
    """The path into single rows that starts at a fact, an action or a group; None where reported."""
    world = scope.rule.world
    relation = world.relations.get(found.symbol.name)
    if relation is None:
        return None
    if relation.cardinality is Cardinality.MANY:
        _report_many(scope, path, relation, found)
        return None
    steps: list[Step] = []
    for i, name in enumerate(found.rest):
        position = _column(scope, relation, name)
        if position is None:
            return None
        steps.append(_step(path, found, relation, position, i, steps))
        if i + 1 < len(found.rest):
            following = _follow(scope, steps[-1], found.rest[i + 1])
            if following is None:
                return None
            relation = following
    return FieldPath(tuple(steps))


def _text_up_to(path: tree.Path, count: int) -> str:
    return ".".join(name.text for name in path.names[:count])


def _column(scope: Scope, relation: Relation, name: tree.Name) -> int | None:
    for i, column in enumerate(relation.columns):
        if column.name == name.text:
            return i
    scope.rule.incomplete = True
    if f"{relation.name}.{name.text}" not in scope.rule.world.spoiled:
        report_unknown_field(scope, relation, name)
    return None


def report_unknown_field(scope: Scope, relation: Relation, name: tree.Name) -> None:
    """Report a field that a relation does not have."""
    columns = [column.name for column in relation.columns]
    hint = did_you_mean(name.text, columns)
    if relation.name == NOW:
        hint = "its parts are `date(now, ZONE)`, `time(now, ZONE)` and `weekday(now, ZONE)`"
    elif hint is None and columns:
        hint = "its fields are " if len(columns) > 1 else "its only field is "
        hint += ", ".join(f"`{column}`" for column in columns[:8])
        hint += " ..." if len(columns) > 8 else ""
    if hint is None:
        hint = f"`{relation.bare_name}` has no fields"
    notes = []
    if relation.kind is RelationKind.GROUP:
        notes.append("an action group has the fields that all its actions declare alike")
    scope.rule.report(
        codes.UNKNOWN_FIELD.at(
            name.span, owner=f"`{relation.bare_name}`", name=name.text, hint=hint, notes=notes
        )
    )


def _follow(scope: Scope, step: Step, after: tree.Name) -> Relation | None:
    """The fact that the reference read by a step leads to."""
    kind = step.column.domain.type
    if isinstance(kind, RefType):
        target = scope.rule.world.relations.get(kind.relation)
        return target if target is not None and target.key is not None else None
    hint = None
    if isinstance(kind, ListType) and isinstance(kind.element.type, RecordType):
        hint = f"it has many rows: write `{step.text}({after.text}: X)` and use `X`"
    elif after.text in ("length", "len", "size", "count"):
        hint = f"write `len({step.text})`"
    scope.rule.report(codes.NO_FIELDS.at(after.span, path=step.text, found=a_type(kind), hint=hint))
    return None


def _report_many(scope: Scope, path: tree.Path, relation: Relation, found: Found) -> None:
    name = relation.bare_name
    rest, reached = found.rest, relation.name
    while len(rest) > 1 and f"{reached}.{rest[0].text}" in scope.rule.world.relations:
        reached, rest = f"{reached}.{rest[0].text}", rest[1:]  # a list, whose rows a call reads too
    column = rest[0].text if rest else "field"
    example = f"{_text_up_to(path, len(path.names) - len(rest))}({column}: X)"
    hint = f"write `{example}` in the condition and use `X`"
    scope.rule.report(codes.MANY_ROWS.at(path.span, name=name, path=path.text, hint=hint))


# --- reading -----------------------------------------------------------------------------------------------


def read(scope: Scope, path: FieldPath) -> Variable:
    """The hidden variable that holds the value of a path; read once in a body."""
    reference: Variable | None = None
    for step in path.steps:
        known = scope.known_read(step.key)
        if known is None:
            known = _read_step(scope, step, reference)
        reference = known
    assert reference is not None
    return reference


def _read_step(scope: Scope, step: Step, reference: Variable | None) -> Variable:
    variable = reference if _is_its_key(step, reference) else _path_variable(scope, step)
    assert variable is not None
    scope.reads[step.key] = variable
    scope.emit(
        Match(
            name=step.relation.name,
            arguments=arguments(step, variable, reference),
            origin=origin_of(step.span),
            path=step.text,
        )
    )
    return variable


def _is_its_key(step: Step, reference: Variable | None) -> bool:
    return reference is not None and step.relation.key == step.position


def _path_variable(scope: Scope, step: Step) -> Variable:
    name = step.text if scope.isolated else scope.rule.unique(step.text)
    variable = Variable(name, step.column.domain.type, hidden=True)
    scope.created.append(variable)
    return variable


def arguments(step: Step, value: Argument, reference: Variable | None) -> tuple[Argument, ...]:
    """The arguments that read one field, of the row that `reference` leads to where there is one."""
    found: list[Argument] = [ANY] * len(step.relation.columns)
    key = step.relation.key
    if reference is not None and key is not None:
        found[key] = reference
        if key == step.position:
            return tuple(found)
    found[step.position] = value
    return tuple(found)


def leading_reference(scope: Scope, path: FieldPath) -> Variable | None:
    """Read all steps of a path but the last: the reference that the last one follows."""
    before = path.steps[:-1]
    return read(scope, FieldPath(before)) if before else None


# --- rows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """What a call reads the rows of: a relation, and of it only those that a reference leads to.

    `key` is the column that holds what the path `reference` holds.
    """

    relation: Relation
    reference: FieldPath | None = None
    key: int | None = None


def rows_of(scope: Scope, path: tree.Path, found: Found) -> Rows | None:
    """The rows of a fact, a table, an action, or of a list or set field of one.

    `session.order.items(...)` follows the reference `session.order`: the items of that order alone.
    """
    world = scope.rule.world
    relation = world.relations.get(found.symbol.name)
    followed = _followed(scope, path, found)
    rest = found.rest
    if followed is not None:
        reference, rest = followed
        kind = reference.type
        assert isinstance(kind, RefType)
        relation = world.relations.get(kind.relation)
    for name in rest:
        if relation is None:
            return None
        items = world.relations.get(f"{relation.name}.{name.text}")
        if items is None:
            _report_no_rows(scope, relation, name)
            return None
        relation = items
    if relation is None:
        return None
    if followed is None:
        return Rows(relation)
    return Rows(relation, followed[0], 0 if rest else relation.key)


def _followed(
    scope: Scope, path: tree.Path, found: Found
) -> tuple[FieldPath, tuple[tree.Name, ...]] | None:
    """The longest start of a path that ends in a reference, and the names after it."""
    steps = _steps(scope, path, found)
    for count in range(len(steps), 0, -1):
        if isinstance(steps[count - 1].column.domain.type, RefType):
            return FieldPath(tuple(steps[:count])), found.rest[count:]
    return None


def _steps(scope: Scope, path: tree.Path, found: Found) -> list[Step]:
    """The steps of a path as far as they read fields of single rows; nothing is reported."""
    relation = scope.rule.world.relations.get(found.symbol.name)
    if relation is None or relation.cardinality is Cardinality.MANY:
        return []
    mark, incomplete = len(scope.rule.problems), scope.rule.incomplete
    steps: list[Step] = []
    for i, name in enumerate(found.rest):
        position = _column(scope, relation, name)
        if position is None:
            break
        steps.append(_step(path, found, relation, position, i, steps))
        kind = relation.columns[position].domain.type
        target = (
            scope.rule.world.relations.get(kind.relation) if isinstance(kind, RefType) else None
        )
        if target is None:
            break
        relation = target
    del scope.rule.problems[mark:]
    scope.rule.incomplete = incomplete
    return steps


def _step(
    path: tree.Path, found: Found, relation: Relation, position: int, i: int, before: list[Step]
) -> Step:
    start = before[-1].key if before else relation.name
    name = found.rest[i]
    return Step(
        relation=relation,
        position=position,
        key=f"{start}.{name.text}",
        text=_text_up_to(path, len(path.names) - len(found.rest) + i + 1),
        span=path.names[0].span.to(name.span),
    )


def _report_no_rows(scope: Scope, relation: Relation, name: tree.Name) -> None:
    column = next((c for c in relation.columns if c.name == name.text), None)
    if column is None:
        if f"{relation.name}.{name.text}" not in scope.rule.world.spoiled:
            report_unknown_field(scope, relation, name)
        return
    found = a_type(column.domain.type)
    wanted = "a list or a set to be read as rows"
    scope.rule.report(codes.WRONG_KIND.at(name.span, name=name.text, found=found, wanted=wanted))


def is_rows(found: Found) -> bool:
    """Whether a call of this reads rows or atoms."""
    return found.symbol.kind in (
        Kind.FACT, Kind.ACTION, Kind.GROUP, Kind.TABLE, Kind.DEFINITION, Kind.BUILTIN,
    )  # fmt: skip
