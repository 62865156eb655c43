"""Calls as conditions: rows of facts and tables, and atoms of definitions."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.diagnostics import Label, Span
from policylang.facts.schema import Relation, Source
from policylang.facts.types import (
    Domain,
)
from policylang.semantics import codes
from policylang.semantics.lowering.context import Scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    coerced,
    report_mismatch,
    report_unknown_name,
)
from policylang.semantics.lowering.paths import (
    Rows,
    is_rows,
    read,
    report_unknown_field,
    rows_of,
)
from policylang.semantics.names import Found, Kind, look_up
from policylang.semantics.operations import FUNCTIONS, same_kind
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Apply,
    Argument,
    Bind,
    Expression,
    Match,
)
from policylang.semantics.words import a_type, plural
from policylang.semantics.world import Signature
from policylang.syntax import tree


@dataclass(frozen=True, slots=True)
class Calls:
    """Lowers calls that read rows or atoms."""

    expressions: Expressions

    def match(self, scope: Scope, node: tree.Call, source: Source | None) -> None:
        """Emit the match of a call; `source` is the source that is asked for."""
        found = look_up(scope.rule.world.names, scope.rule.module, node.callee)
        if found is None:
            report_unknown_name(scope, node.callee, "fact or definition", tuple(FUNCTIONS))
            scope.rule.incomplete = True
        elif not is_rows(found):
            scope.rule.report(
                codes.WRONG_KIND.at(
                    node.callee.span, name=node.callee.text, found=found.symbol.kind.value,
                    wanted="a fact, a table or a definition",
                )
            )  # fmt: skip
        elif found.symbol.kind is Kind.DEFINITION and not found.rest:
            self.atom(scope, node, found, node.arguments, source)
        else:
            rows = rows_of(scope, node.callee, found)
            if rows is None:
                scope.rule.incomplete = True
            else:
                self._rows(scope, node, rows, source)

    def atom(
        self,
        scope: Scope,
        node: tree.Call | tree.Path,
        found: Found,
        given: tuple[tree.Argument, ...],
        source: Source | None = None,
    ) -> None:
        """Emit the match of a definition."""
        signature = scope.rule.world.signatures[found.symbol.name]
        name = found.symbol.bare
        if source is not None:
            hint = "ask where the facts come from that it is made of"
            scope.rule.report(
                codes.WRONG_KIND.at(
                    node.span, name=name, found="a definition", wanted="a fact", hint=hint
                )
            )
        named = next((argument for argument in given if argument.name is not None), None)
        if named is not None:
            hint = f"write `{_usage(name, signature)}`"
            scope.rule.report(codes.NAMED_ARGUMENT.at(named.span, name=name, hint=hint))
            return
        if len(given) != len(signature.types):
            _report_count(scope, node.span, name, len(given), signature)
            return
        arguments = [
            self.argument(
                scope,
                argument.value,
                Domain(known) if known is not None else None,
                f"argument {i + 1} of `{name}`",
            )
            for i, (argument, known) in enumerate(zip(given, signature.types, strict=True))
        ]
        if any(known is None for known in signature.types):
            scope.rule.stale = True
        self._emit_match(scope, found.symbol.name, arguments, node, None)

    def _rows(self, scope: Scope, node: tree.Call, rows: Rows, source: Source | None) -> None:
        relation = rows.relation
        placed = _placed(scope, node, relation)
        if placed is None:
            return
        arguments: list[Argument | None] = [ANY] * len(relation.columns)
        if rows.reference is not None and rows.key is not None:
            arguments[rows.key] = read(scope, rows.reference)
            twice = next((argument for i, argument in placed if i == rows.key), None)
            if twice is not None and twice.name is not None:
                name = twice.name.text
                hint = f"`{node.callee.text}` reads the row of that `{name}` already"
                scope.rule.report(
                    codes.DUPLICATE_ARGUMENT.at(twice.name.span, name=name, hint=hint)
                )
                return
        for position, argument in placed:
            column = relation.columns[position]
            what = f"field `{column.name}` of `{relation.bare_name}`"
            if isinstance(argument.value, tree.PresenceMark):
                arguments[position] = PRESENT if argument.value.present else ABSENT
            else:
                arguments[position] = self.argument(scope, argument.value, column.domain, what)
        self._emit_match(scope, relation.name, arguments, node, source)

    def _emit_match(
        self,
        scope: Scope,
        name: str,
        arguments: list[Argument | None],
        node: tree.Node,
        source: Source | None,
    ) -> None:
        known = [argument for argument in arguments if argument is not None]
        if len(known) == len(arguments):
            scope.emit(Match(name, tuple(known), scope.origin(node), source))

    def argument(
        self, scope: Scope, node: tree.Expr, domain: Domain | None, what: str
    ) -> Argument | None:
        """One argument of a call: a term, or a hole; an expression is computed into a hidden variable."""
        match node:
            case tree.Wildcard():
                return ANY
            case tree.Variable():
                return scope.variable(node, domain.type if domain else None)
            case tree.PresenceMark():
                hint = "only the fields of facts can be missing"
                scope.rule.report(
                    codes.NOT_A_VALUE.at(node.span, what=f"`{node.span.text}`", hint=hint)
                )
                return None
            case _:
                value = self.expressions.lower(scope, node, domain.type if domain else None)
                return self._term(scope, node, value, domain, what)

    def _term(
        self,
        scope: Scope,
        node: tree.Expr,
        value: Expression | None,
        domain: Domain | None,
        what: str,
    ) -> Argument | None:
        if value is None:
            return None
        if domain is not None:
            if not same_kind(value.type, domain.type):
                hint = f"{what} is {a_type(domain.type)}" if what else None
                wanted = a_type(domain.type)
                report_mismatch(scope, node, f"`{node.span.text}`", value.type, wanted, hint)
                return None
            value = coerced(scope, value, node, domain)
        if isinstance(value, Apply):
            variable = scope.new_hidden(value.type)
            scope.emit(Bind(variable, value, scope.origin(node)))
            return variable
        return value


def is_function(node: tree.Call) -> bool:
    """Whether a call is one of a function of the language."""
    name = node.callee.text
    return name in FUNCTIONS or name in ("ip", "cidr")


def _placed(
    scope: Scope, node: tree.Call, relation: Relation
) -> list[tuple[int, tree.Argument]] | None:
    """The column of each argument; None where they do not fit, which is reported."""
    named = [argument for argument in node.arguments if argument.name is not None]
    if not named and node.arguments:
        return _by_position(scope, node, relation)
    if len(named) < len(node.arguments):
        odd = next(argument for argument in node.arguments if argument.name is None)
        scope.rule.report(codes.MIXED_ARGUMENTS.at(odd.span, this="none"))
        return None
    columns = {column.name: i for i, column in enumerate(relation.columns)}
    placed: dict[int, tree.Argument] = {}
    for argument in named:
        assert argument.name is not None
        position = columns.get(argument.name.text)
        if position is None:
            if f"{relation.name}.{argument.name.text}" not in scope.rule.world.spoiled:
                report_unknown_field(scope, relation, argument.name)
            scope.rule.incomplete = True
            return None
        if position in placed:
            earlier = placed[position]
            labels = [Label((earlier.name or earlier).span, "first given here")]
            scope.rule.report(
                codes.DUPLICATE_ARGUMENT.at(
                    argument.name.span, name=argument.name.text, labels=labels
                )
            )
            return None
        placed[position] = argument
    return list(placed.items())


def _by_position(
    scope: Scope, node: tree.Call, relation: Relation
) -> list[tuple[int, tree.Argument]] | None:
    if len(node.arguments) == len(relation.columns):
        return list(enumerate(node.arguments))
    if any(name.startswith(f"{relation.name}.") for name in scope.rule.world.spoiled):
        scope.rule.incomplete = True
        return None  # a field with an error is not among the columns
    count = len(node.arguments)
    names = ", ".join(
        f"{column.name}: {column.name.capitalize()}" for column in relation.columns[:3]
    )
    scope.rule.report(
        codes.WRONG_ARGUMENT_COUNT.at(
            node.span,
            name=relation.bare_name,
            wanted=plural(len(relation.columns), "field"),
            found=f"{count} {'is' if count == 1 else 'are'}",
            hint=f"name those you need: `{relation.bare_name}({names})`",
        )
    )
    scope.rule.incomplete = True
    return None


def _report_count(scope: Scope, span: Span, name: str, count: int, signature: Signature) -> None:
    scope.rule.incomplete = True
    scope.rule.report(
        codes.WRONG_ARGUMENT_COUNT.at(
            span,
            name=name,
            wanted=plural(len(signature.types), "argument"),
            found=f"{count} {'is' if count == 1 else 'are'}",
            hint=f"write `{_usage(name, signature)}`",
        )
    )


def _usage(name: str, signature: Signature) -> str:
    return f"{name}({', '.join(signature.parameters)})" if signature.parameters else name
