"""The builders of tests and fixtures."""

# ruff: noqa: ARG002, D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from typing import cast

from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.build.parts import (
    Bracketed,
    Spanned,
    choose,
    join,
    last_of,
    name_of,
    nodes,
    unknown_word,
)
from policylang.syntax.problems import Malformed
from policylang.syntax.tokens import Token

_OUTCOME_WORDS = {
    "needs_approval": t.ExpectedOutcome.NEEDS_APPROVAL,
    "needs_facts": t.ExpectedOutcome.NEEDS_FACTS,
    "refused": t.ExpectedOutcome.REFUSED,
}


class TestRules:
    """One method a rule of the grammar's part on tests."""

    __test__ = False

    def visit_fixture_statement(
        self, word: Token, name: Token, *rest: Spanned
    ) -> t.FixtureStatement:
        given = cast("tuple[t.Given, ...]", nodes(t.Node, rest))
        return t.FixtureStatement(join(word, rest[-1]), word.take_doc(), name_of(name), given)

    def visit_test_statement(
        self,
        word: Token,
        title: Token,
        given: tuple[t.Given, ...] | None,
        when: t.When,
        *rest: Spanned,
    ) -> t.TestStatement:
        return t.TestStatement(
            join(word, rest[-1]),
            word.take_doc(),
            cast("t.StringLiteral", title.node),
            given or (),
            when,
            cast("tuple[t.Expectation, ...]", nodes(t.Node, rest)),
        )

    def visit_given(self, *items: t.Given) -> tuple[t.Given, ...]:
        return items

    def visit_given_fixture(self, word: Token, fixture: t.Path) -> t.GivenFixture:
        return t.GivenFixture(join(word, fixture), fixture)

    def visit_given_fact(
        self, fact: t.Path, source: t.SourceWord | None, record: t.RecordLiteral
    ) -> t.GivenFact:
        return t.GivenFact(join(fact, record), fact, source, record.fields)

    def visit_given_now(self, name: t.Path, value: Token) -> t.GivenNow:
        if name.text != "now":
            raise unknown_word(Token("NAME", name.span), "what a test can set", ["now"])
        return t.GivenNow(join(name, value), _moment(value))

    def visit_given_approval(
        self, word: t.Path, by: Token, closing: Token, at: Token | None
    ) -> t.GivenApproval:
        if word.text != "approved":
            raise unknown_word(Token("NAME", word.span), "an item of a test", ["approved"])
        span = join(word, last_of(closing, at))
        literal = cast("t.StringLiteral", by.node)
        return t.GivenApproval(span, literal, _moment(at) if at else None)

    def visit_given_earlier(
        self,
        word: Token,
        action: t.Path,
        record: t.RecordLiteral | None,
        at: Token,
        outcome: Token | None,
    ) -> t.GivenEarlier:
        return t.GivenEarlier(
            join(word, last_of(at, outcome)),
            action,
            record.fields if record else (),
            _moment(at),
            choose(outcome, t.EarlierOutcome, "an outcome") if outcome else None,
        )

    def visit_when(self, word: Token, action: t.Path, record: t.RecordLiteral | None) -> t.When:
        span = join(word, last_of(action, record))
        return t.When(span, action, record.fields if record else ())

    # --- expectations --------------------------------------------------------------------------

    def visit_expect_effect(
        self, word: Token, effect: Token, rules: tuple[t.Path, ...] | None
    ) -> t.ExpectOutcome:
        span = join(word, rules[-1] if rules else effect)
        return t.ExpectOutcome(span, t.ExpectedOutcome(effect.text), rules or (), None)

    def visit_expect_outcome(
        self,
        word: Token,
        name: Token,
        rules: tuple[t.Path, ...] | None,
        at: t.Path | t.StringLiteral | None,
    ) -> t.ExpectOutcome:
        outcome = _OUTCOME_WORDS.get(name.text)
        if outcome is None:
            known = ["allow", "deny", *_OUTCOME_WORDS, "violated NAME", "DECISION = VALUE"]
            raise unknown_word(name, "what a test can expect", known)
        span = join(word, last_of(name, rules[-1] if rules else None, at))
        if at is not None and outcome is not t.ExpectedOutcome.REFUSED:
            problem = f"`{name.text}` has no `at`"
            advice = "only a refused request says at which path"
            raise Malformed(codes.BAD_EXPECTATION.at(span, problem=problem, advice=advice))
        if rules and outcome in (t.ExpectedOutcome.REFUSED, t.ExpectedOutcome.NEEDS_FACTS):
            problem = f"`{name.text}` has no `by`"
            advice = "no rule is asked where a request is refused or lacks facts"
            raise Malformed(codes.BAD_EXPECTATION.at(span, problem=problem, advice=advice))
        return t.ExpectOutcome(span, outcome, rules or (), at)

    def visit_expect_violated(
        self, word: Token, violated: Token, never: t.Path
    ) -> t.ExpectViolated:
        if violated.text != "violated":
            raise unknown_word(violated, "what a test can expect before a name", ["violated"])
        return t.ExpectViolated(join(word, never), never)

    def visit_expect_value(self, word: Token, decision: t.Path, value: t.Expr) -> t.ExpectValue:
        return t.ExpectValue(join(word, value), decision, value)

    def visit_expect_obligation(
        self, word: Token, oblige: Token, name: Token, arguments: Bracketed | None
    ) -> t.ExpectObligation:
        given = nodes(t.Argument, arguments.items) if arguments else None
        return t.ExpectObligation(join(word, last_of(name, arguments)), name_of(name), given)

    def visit_by(self, rules: tuple[t.Path, ...]) -> tuple[t.Path, ...]:
        return rules

    def visit_at(self, place: t.Path | Token) -> t.Path | t.StringLiteral:
        return cast("t.StringLiteral", place.node) if isinstance(place, Token) else place


def _moment(token: Token) -> t.DateTimeLiteral:
    return cast("t.DateTimeLiteral", token.node)
