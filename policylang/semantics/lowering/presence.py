"""Presence and provenance: `X is present`, `X is missing`, `X is from tool`."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.facts.schema import Cardinality, Relation, Source
from policylang.semantics import codes
from policylang.semantics.lowering.calls import Calls, is_function
from policylang.semantics.lowering.context import Scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    report_unknown_name,
)
from policylang.semantics.lowering.paths import (
    FieldPath,
    arguments,
    field_path,
    leading_reference,
)
from policylang.semantics.names import Found, Kind, look_up
from policylang.semantics.program import (
    ANY,
    PRESENT,
    Bind,
    Constant,
    Match,
    Variable,
)
from policylang.semantics.relations import SOURCES
from policylang.syntax import tree


@dataclass(frozen=True, slots=True)
class Presence:
    """Lowers what asks whether something is there, and where it comes from."""

    expressions: Expressions
    calls: Calls

    def present(self, scope: Scope, node: tree.Node, subject: tree.Expr) -> None:
        """Emit what holds where the subject is there; `node` is the test it is written in."""
        match subject:
            case tree.Path():
                self._path_present(scope, node, subject, None)
            case tree.Call() if not is_function(subject):
                hint = f"write `{subject.span.text}` or `not {subject.span.text}`"
                scope.rule.report(
                    codes.NOT_A_VALUE.at(
                        subject.span, what=f"`{subject.callee.text}(...)`", hint=hint
                    )
                )
            case _:
                value = self.expressions.lower(scope, subject)
                if value is not None and not isinstance(value, Variable | Constant):
                    hidden = scope.new_hidden(value.type)
                    scope.emit(Bind(hidden, value, scope.origin(node)))

    def _path_present(
        self, scope: Scope, node: tree.Node, path: tree.Path, source: Source | None
    ) -> None:
        """A match that asks that a path has a value, or that an optional fact is there at all."""
        found = look_up(scope.rule.world.names, scope.rule.module, path)
        if found is None:
            report_unknown_name(scope, path, "name")
            return
        if found.symbol.kind not in (Kind.FACT, Kind.ACTION, Kind.GROUP):
            scope.rule.report(
                codes.WRONG_KIND.at(
                    path.span,
                    name=path.text,
                    found=found.symbol.kind.value,
                    wanted="a fact or a field",
                )
            )
            return
        if not found.rest:
            self._fact_present(scope, node, path, found, source)
            return
        read = field_path(scope, path, found)
        if read is not None:
            self._emit_present(scope, node, read, source)

    def _fact_present(
        self, scope: Scope, node: tree.Node, path: tree.Path, found: Found, source: Source | None
    ) -> None:
        relation = scope.rule.world.relations[found.symbol.name]
        if relation.cardinality is Cardinality.MANY:
            missing = "not " if isinstance(node, tree.IsMissing) else ""
            hint = f"write `{missing}{path.text}({_first_column(relation)}: _)`"
            scope.rule.report(
                codes.MANY_ROWS.at(path.span, name=path.text, path=path.text, hint=hint)
            )
            return
        scope.present.add(relation.name)
        holes = (ANY,) * len(relation.columns)
        scope.emit(Match(relation.name, holes, scope.origin(node), source, path.text))

    def _emit_present(
        self, scope: Scope, node: tree.Node, path: FieldPath, source: Source | None
    ) -> None:
        reference = leading_reference(scope, path)
        last = path.steps[-1]
        scope.present.add(path.key)
        found = arguments(last, PRESENT, reference)
        scope.emit(Match(last.relation.name, found, scope.origin(node), source, last.text))

    def lower_from(self, scope: Scope, node: tree.IsFrom) -> None:
        """Emit the match of a subject that has to come from a source, or a better one."""
        source = SOURCES[node.source.source]
        match node.subject:
            case tree.Path():
                self._path_present(scope, node, node.subject, source)
            case tree.Call() if not is_function(node.subject):
                self.calls.match(scope, node.subject, source)
            case _:
                scope.rule.report(
                    codes.NOT_A_VALUE.at(
                        node.subject.span,
                        what=f"`{node.subject.span.text}`",
                        hint="only facts and their fields come from somewhere",
                    )
                )


def _first_column(relation: Relation) -> str:
    return relation.columns[0].name if relation.columns else "field"
