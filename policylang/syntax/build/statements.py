"""The builders of the statements that declare."""

# ruff: noqa: ARG002, D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from typing import cast

from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.build.expressions import source_word
from policylang.syntax.build.parts import (
    Bracketed,
    Clause,
    Spanned,
    join,
    last_of,
    name_of,
    nodes,
    type_name,
)
from policylang.syntax.problems import Malformed
from policylang.syntax.templates import read_template
from policylang.syntax.tokens import Token


class StatementRules:
    """One method a rule of the grammar's part on declarations."""

    def visit_header(
        self, word: Token, name: t.Path, keyword: Token | None, version: Token | None
    ) -> t.ModuleHeader:
        literal = cast("t.StringLiteral", version.node) if version else None
        return t.ModuleHeader(join(word, last_of(name, version)), word.take_doc(), name, literal)

    def visit_use_statement(
        self, word: Token, module: t.Path, alias: Token | None
    ) -> t.UseStatement:
        span = join(word, last_of(module, alias))
        return t.UseStatement(span, word.take_doc(), module, name_of(alias) if alias else None)

    def visit_enum_statement(
        self,
        word: Token,
        name: Token,
        normalize: Clause | None,
        members: tuple[t.EnumMember, ...],
        closing: Token,
    ) -> t.EnumStatement:
        span, normalizers = join(word, closing), _normalizers(normalize)
        if not members:
            raise Malformed(codes.EMPTY_ENUM.at(span))
        return t.EnumStatement(span, word.take_doc(), type_name(name), normalizers, members)

    def visit_enum_members(self, *members: t.EnumMember) -> tuple[t.EnumMember, ...]:
        return members

    def visit_enum_member(
        self, name: Token, spellings: tuple[t.StringLiteral, ...] | None, closing: Token | None
    ) -> t.EnumMember:
        span = join(name, last_of(name, closing))
        return t.EnumMember(span, name.take_doc(), name_of(name), spellings or ())

    def visit_strings(self, *tokens: Token) -> tuple[t.StringLiteral, ...]:
        return tuple(cast("t.StringLiteral", token.node) for token in tokens)

    def visit_type_statement(self, word: Token, name: Token, spec: t.TypeSpec) -> t.TypeStatement:
        return t.TypeStatement(join(word, spec), word.take_doc(), type_name(name), spec)

    def visit_fact_statement(
        self,
        words: list[Token],
        name: Token,
        origin: Token | None,
        reads: t.Template | None,
        fields: Bracketed,
    ) -> t.FactStatement:
        source, file = _origin(origin)
        return t.FactStatement(
            join(words[0], fields),
            words[0].take_doc(),
            t.Cardinality(" ".join(word.text for word in words)),
            name_of(name),
            source,
            file,
            reads,
            nodes(t.Field, fields.items),
        )

    def visit_fact_keyword(self, *words: Token) -> list[Token]:
        return list(words)

    def visit_from_source(self, word: Token, source: Token) -> t.SourceWord:
        return source_word(source)

    def visit_fact_from(self, word: Token, origin: Token) -> Token:
        return origin

    def visit_reads(self, word: Token, text: Token) -> t.Template:
        return read_template(cast("t.StringLiteral", text.node))

    def visit_action_statement(
        self,
        word: Token,
        name: Token,
        source: t.SourceWord | None,
        reads: t.Template | None,
        fields: Bracketed | None,
    ) -> t.ActionStatement:
        return t.ActionStatement(
            join(word, last_of(name, source, reads, fields)),
            word.take_doc(),
            name_of(name),
            source,
            reads,
            nodes(t.Field, fields.items) if fields else (),
        )

    def visit_group_statement(
        self, word: Token, name: Token, members: tuple[t.Path, ...]
    ) -> t.GroupStatement:
        return t.GroupStatement(join(word, members[-1]), word.take_doc(), name_of(name), members)

    def visit_param_statement(
        self, word: Token, name: Token, spec: t.TypeSpec, value: t.Expr
    ) -> t.ParamStatement:
        return t.ParamStatement(join(word, value), word.take_doc(), name_of(name), spec, value)

    def visit_table_statement(
        self,
        word: Token,
        name: Token,
        columns: tuple[t.Field, ...],
        reads: t.Template | None,
        *rest: Spanned,
    ) -> t.TableStatement:
        return t.TableStatement(
            join(word, rest[-1]),
            word.take_doc(),
            name_of(name),
            columns,
            reads,
            nodes(t.TableRow, rest),
        )

    def visit_columns(self, *columns: t.Field) -> tuple[t.Field, ...]:
        return columns

    def visit_row(self, bar: Token, *rest: Spanned) -> t.TableRow:
        cells = cast("tuple[t.Expr, ...]", nodes(t.Node, rest))
        return t.TableRow(join(bar, rest[-1]), bar.take_doc(), cells)

    def visit_define_statement(
        self,
        word: Token,
        name: Token,
        parameters: Bracketed | None,
        reads: t.Template | None,
        condition: Clause | None,
    ) -> t.DefineStatement:
        return t.DefineStatement(
            join(word, last_of(name, parameters, reads, condition)),
            word.take_doc(),
            name_of(name),
            cast("tuple[t.Expr, ...]", parameters.items) if parameters else (),
            reads,
            cast("t.Expr", condition.value) if condition else None,
        )

    def visit_parameters(self, opening: Token, *rest: Spanned) -> Bracketed:
        return Bracketed(join(opening, rest[-1]), nodes(t.Node, rest))

    def visit_decision_statement(
        self,
        word: Token,
        name: Token,
        spec: t.TypeSpec,
        default: t.Expr | None,
        reads: t.Template | None,
    ) -> t.DecisionStatement:
        span = join(word, last_of(spec, default, reads))
        return t.DecisionStatement(span, word.take_doc(), name_of(name), spec, default, reads)

    def visit_default(self, value: t.Expr) -> t.Expr:
        return value


def _normalizers(clause: Clause | None) -> tuple[t.Name, ...]:
    return cast("tuple[t.Name, ...]", clause.value) if clause else ()


def _origin(origin: Token | None) -> tuple[t.SourceWord | None, t.StringLiteral | None]:
    """The source or the data file that stands after `from`."""
    if origin is None:
        return None, None
    if isinstance(origin.node, t.StringLiteral):
        return None, origin.node
    return source_word(origin), None
