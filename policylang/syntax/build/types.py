"""The builders of types and fields."""

# ruff: noqa: ARG002, D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from typing import cast

from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.build.expressions import negative
from policylang.syntax.build.parts import (
    Bracketed,
    Clause,
    Spanned,
    clauses_of,
    join,
    last_of,
    name_of,
    nodes,
    unknown_word,
)
from policylang.syntax.problems import Malformed
from policylang.syntax.tokens import Token

_NARROWINGS = "in max normalize"
_MARKS = "key secret personal ="


class TypeRules:
    """One method a rule of the grammar's part on types."""

    def visit_type_path(self, path: t.Path | None, name: Token | None = None) -> t.Path:
        if name is None:
            assert path is not None
            return path
        if path is None:
            return t.Path(name.span, (name_of(name),))
        return t.Path(join(path, name), (*path.names, name_of(name)))

    def visit_type_arguments(self, *parts: Token) -> Bracketed:
        numbers = tuple(cast("t.Node", part.node) for part in parts[:-1])
        return Bracketed(join(parts[0], parts[-1]), numbers)

    def visit_named_type(self, name: t.Path, arguments: Bracketed | None) -> t.NamedType:
        numbers = nodes(t.IntLiteral, arguments.items) if arguments else ()
        return t.NamedType(join(name, last_of(name, arguments)), name, numbers)

    def visit_collection_type(
        self, name: t.Path, opening: Token, element: t.TypeSpec | Bracketed, closing: Token
    ) -> t.SetType | t.ListType:
        span = join(name, closing)
        if isinstance(element, Bracketed):
            record = t.RecordType(element.span, nodes(t.Field, element.items))
            element = t.TypeSpec(element.span, record, False, None, None, ())
        if name.text == "Set":
            return t.SetType(span, element)
        if name.text == "List":
            return t.ListType(span, element)
        advice = "the types with an element are `Set[T]` and `List[T]`"
        problem = f"`{name.text}` takes no `[...]`"
        raise Malformed(codes.BAD_TYPE.at(name.span, problem=problem, advice=advice))

    def visit_ref_type(self, word: Token, target: t.Path) -> t.RefType:
        return t.RefType(join(word, target), target)

    def visit_type_spec(
        self, base: t.BaseType, question: Token | None, *marks: Clause
    ) -> t.TypeSpec:
        return _type_spec(base, question, clauses_of("a type", marks, _NARROWINGS))

    def visit_field(
        self, name: Token, base: t.BaseType, question: Token | None, *marks: Clause
    ) -> t.Field:
        given = clauses_of("a field", marks, f"{_NARROWINGS} {_MARKS}")
        default = given.get("=")
        return t.Field(
            join(name, last_of(base, question, *marks)),
            name.take_doc(),
            name_of(name),
            _type_spec(base, question, given),
            cast("t.Expr", default.value) if default else None,
            "key" in given,
            "secret" in given,
            "personal" in given,
        )

    def visit_fields(self, opening: Token, *rest: Spanned) -> Bracketed:
        return Bracketed(join(opening, rest[-1]), nodes(t.Field, rest))

    # --- what narrows a type or marks a field ---------------------------------------------------

    def visit_bounds(self, bounds: t.Range) -> Clause:
        return Clause(bounds.span, "in", bounds)

    def visit_normalize(self, word: Token, *names: Token) -> Clause:
        return Clause(join(word, names[-1]), "normalize", tuple(map(name_of, names)))

    def visit_size(self, word: Token, number: Token) -> Clause:
        if word.text != "max":
            raise unknown_word(word, "what may stand before a number here", ["max"])
        return Clause(join(word, number), "max", number.node)

    def visit_mark(self, word: Token) -> Clause:
        if word.text not in ("key", "secret", "personal"):
            raise unknown_word(word, "a mark of a field", ["key", "secret", "personal", "max N"])
        return Clause(word.span, word.text, True)

    def visit_field_default(self, value: t.Expr) -> Clause:
        return Clause(value.span, "=", value)

    def visit_closed_range(self, low: t.Expr, dots: Token, high: t.Expr | None) -> t.Range:
        return t.Range(join(low, last_of(dots, high)), low, high)

    def visit_open_range(self, dots: Token, high: t.Expr | None) -> t.Range:
        return t.Range(join(dots, last_of(dots, high)), None, high)

    def visit_negative(self, minus: Token, number: Token) -> t.Expr:
        return negative(minus, cast("t.Expr", number.node))


def _type_spec(base: t.BaseType, question: Token | None, marks: dict[str, Clause]) -> t.TypeSpec:
    narrowing = [marks[word] for word in _NARROWINGS.split() if word in marks]
    end = max((node.span.end for node in narrowing), default=last_of(base, question).span.end)
    normalize = marks.get("normalize")
    return t.TypeSpec(
        base.span.source.span(base.span.start, end),
        base,
        question is not None,
        cast("t.Range", marks["in"].value) if "in" in marks else None,
        cast("t.IntLiteral", marks["max"].value) if "max" in marks else None,
        cast("tuple[t.Name, ...]", normalize.value) if normalize else (),
    )
