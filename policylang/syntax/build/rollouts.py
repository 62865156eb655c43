"""The builders of the statements about rollouts."""

# ruff: noqa: ARG002, D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from typing import cast

from policylang.syntax import tree as t
from policylang.syntax.build.parts import Clause, join, last_of, name_of
from policylang.syntax.tokens import Token


class RolloutRules:
    """One method a rule of the grammar's part on rollouts."""

    def visit_rollout_statement(self, word: Token, by: Token, key: t.Path) -> t.RolloutStatement:
        return t.RolloutStatement(join(word, key), word.take_doc(), key)

    def visit_canary_statement(self, word: Token, condition: Clause) -> t.CanaryStatement:
        span = join(word, condition)
        return t.CanaryStatement(span, word.take_doc(), cast("t.Expr", condition.value))

    def visit_promote_statement(
        self, word: Token, when: Token, stage: Token, condition: t.Expr, lasting: Token | None
    ) -> t.CriteriaStatement:
        return _criteria(t.Purpose.PROMOTE, word, stage, condition, lasting)

    def visit_rollback_statement(
        self, word: Token, when: Token, stage: Token, condition: t.Expr, lasting: Token | None
    ) -> t.CriteriaStatement:
        return _criteria(t.Purpose.ROLLBACK, word, stage, condition, lasting)

    def visit_observed(
        self, name: t.Path, opening: Token, metric: t.Expr, closing: Token
    ) -> t.Call:
        given = t.Argument(metric.span, None, metric)
        return t.Call(join(name, closing), name, (given,))


def _criteria(
    purpose: t.Purpose, word: Token, stage: Token, condition: t.Expr, lasting: Token | None
) -> t.CriteriaStatement:
    span = join(word, last_of(condition, lasting))
    duration = cast("t.DurationLiteral", lasting.node) if lasting else None
    return t.CriteriaStatement(span, word.take_doc(), purpose, name_of(stage), condition, duration)
