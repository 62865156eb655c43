"""The builders of the statements that decide."""

# ruff: noqa: D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from typing import Any, cast

from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.build.expressions import negative
from policylang.syntax.build.parts import (
    Bracketed,
    Clause,
    clauses_of,
    join,
    last_of,
    name_of,
    nodes,
    unknown_word,
)
from policylang.syntax.problems import Malformed
from policylang.syntax.templates import read_template
from policylang.syntax.tokens import Token


class RuleRules:
    """One method a rule of the grammar's part on rules, limits and invariants."""

    def visit_allow(self, word: Token, actions: tuple[t.Path, ...]) -> t.AllowEffect:
        return t.AllowEffect(join(word, actions[-1]), actions)

    def visit_deny(self, word: Token, actions: tuple[t.Path, ...]) -> t.DenyEffect:
        return t.DenyEffect(join(word, actions[-1]), actions)

    def visit_require(
        self, word: Token, name: Token, arguments: Bracketed | None, actions: tuple[t.Path, ...]
    ) -> t.RequireEffect:
        given = nodes(t.Argument, arguments.items) if arguments else ()
        return t.RequireEffect(join(word, actions[-1]), name_of(name), given, actions)

    def visit_oblige(
        self, word: Token, name: Token, arguments: Bracketed | None, actions: tuple[t.Path, ...]
    ) -> t.ObligeEffect:
        given = nodes(t.Argument, arguments.items) if arguments else ()
        return t.ObligeEffect(join(word, actions[-1]), name_of(name), given, actions)

    def visit_set_(self, word: Token, decision: t.Path, value: t.Expr) -> t.SetEffect:
        return t.SetEffect(join(word, value), decision, value)

    # --- clauses -------------------------------------------------------------------------------

    def visit_condition(self, word: Token, condition: t.Expr) -> Clause:
        return Clause(join(word, condition), "if", condition)

    def visit_because(self, word: Token, internal: Token | None, text: Token) -> Clause:
        if internal is not None and internal.text != "internal":
            raise unknown_word(internal, "what may stand before a reason", ["internal"])
        template = read_template(cast("t.StringLiteral", text.node))
        reason = t.Reason(join(word, text), internal is not None, template)
        return Clause(reason.span, "because", reason)

    def visit_overrides(self, word: Token, rules: tuple[t.Path, ...]) -> Clause:
        return Clause(join(word, rules[-1]), "overrides", rules)

    def visit_priority(self, word: Token, minus: Token | None, number: Token) -> Clause:
        value = cast("t.Expr", number.node)
        value = negative(minus, value) if minus else value
        return Clause(join(word, number), "priority", value)

    def visit_per(self, word: Token, paths: tuple[t.Path, ...]) -> Clause:
        return Clause(join(word, paths[-1]), "per", paths)

    def visit_window(self, word: Token, duration: t.Expr) -> Clause:
        return Clause(join(word, duration), "in", duration)

    # --- statements ----------------------------------------------------------------------------

    def visit_rule_statement(
        self, word: Token, name: Token, effect: t.Effect, *clauses: Clause
    ) -> t.RuleStatement:
        given = clauses_of("a rule", clauses, "if because overrides priority")
        return t.RuleStatement(
            join(word, last_of(effect, *clauses)),
            word.take_doc(),
            name_of(name),
            effect,
            _value(given, "if"),
            _value(given, "because"),
            _value(given, "overrides") or (),
            _value(given, "priority"),
        )

    def visit_never_statement(
        self, word: Token, name: Token, effect: t.Effect, *clauses: Clause
    ) -> t.NeverStatement:
        given = clauses_of("a `never`", clauses, "if because")
        span = join(word, last_of(effect, *clauses))
        if "if" not in given:
            raise Malformed(codes.NEVER_WITHOUT_CONDITION.at(span))
        return t.NeverStatement(
            span,
            word.take_doc(),
            name_of(name),
            effect,
            _value(given, "if"),
            _value(given, "because"),
        )

    def visit_count_measure(self, action: t.Path) -> t.CountMeasure:
        return t.CountMeasure(action.span, action)

    def visit_sum_measure(self, function: t.Path, value: t.Expr, closing: Token) -> t.SumMeasure:
        if function.text != "sum":
            problem = f"a limit cannot measure `{function.text}`"
            advice = "write an action, to count its calls, or `sum(ACTION.FIELD)`"
            raise Malformed(codes.BAD_AGGREGATE.at(function.span, problem=problem, advice=advice))
        return t.SumMeasure(join(function, closing), value)

    def visit_limit_statement(
        self,
        word: Token,
        name: Token,
        measure: t.CountMeasure | t.SumMeasure,
        maximum: t.Expr,
        *clauses: Clause,
    ) -> t.LimitStatement:
        given = clauses_of("a limit", clauses, "per in because overrides")
        return t.LimitStatement(
            join(word, last_of(maximum, *clauses)),
            word.take_doc(),
            name_of(name),
            measure,
            maximum,
            _value(given, "per") or (),
            _value(given, "in"),
            _value(given, "because"),
            _value(given, "overrides") or (),
        )


def _value(given: dict[str, Clause], word: str) -> Any:
    clause = given.get(word)
    return clause.value if clause else None
