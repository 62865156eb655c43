"""From firings to decisions: the refund policy, and each sentence of the language's description."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings

from policylang.bundle.loading import loads
from policylang.decide.decide import Authorizer, decide, refuse
from policylang.decide.decision import (
    Assignment,
    Decision,
    Obligation,
    Outcome,
    Reason,
    ReasonKind,
    Requirement,
    Suppression,
)
from policylang.errors import InternalError
from policylang.evaluate.firings import Failure, FailureKind, Firing, Firings
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind
from policylang.facts.schema import DecisionDeclaration
from policylang.facts.types import DURATION, INT, STRING, DecimalType, Domain, Field
from policylang.facts.values import MISSING, Value
from policylang.semantics.program import (
    Allow,
    Assign,
    Constant,
    Deny,
    Never,
    NeverEffect,
    Oblige,
    RequireApproval,
    Rule,
)
from tests.decide.building import (
    NOW,
    USD,
    clause,
    const,
    decided,
    facts,
    match,
    message,
    predicate,
    program,
    read,
    relation,
    rule,
    var,
)
from tests.decide.refunds import REFUND, REFUNDS, request
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, cases

HOUR = dt.timedelta(hours=1)


def approval(by: str = "manager", ago: dt.timedelta = HOUR) -> tuple[Value, ...]:
    """A granted approval, so long before the request."""
    return (by, "a1", NOW - ago)


def simple(*rules: Rule, decisions: tuple[DecisionDeclaration, ...] = ()) -> Decision:
    """The decision of rules that always hold."""
    return decided(program(rules, [REFUND], decisions=decisions), facts())


# --- the refund policy --------------------------------------------------------------------------------


def test_an_allow_names_its_rule_and_its_values() -> None:
    """A small refund is allowed, with the message of its rule filled in."""
    decision = decided(REFUNDS, request())
    assert decision.outcome is Outcome.ALLOW
    assert decision.reasons == (
        Reason(ReasonKind.ALLOWED, "refunds.small_refund", "a refund of 48.00 is within 500.00"),
    )
    assert decision.determining == ("refunds.small_refund",)


def test_nothing_allows_is_told_apart_from_forbidden() -> None:
    """Where no rule speaks, the reason is that nothing allows it, and no rule decided."""
    decision = decided(REFUNDS, request(scopes=()))
    assert decision.outcome is Outcome.DENY
    assert decision.reasons == (Reason(ReasonKind.NOTHING_ALLOWS, "", "nothing allows refund"),)
    assert decision.determining == ()


def test_a_deny_goes_before_an_allow() -> None:
    """A forbidden refund is denied although another rule allows it."""
    decision = decided(REFUNDS, request(refunds__reported=[("c1", "shop")]))
    assert decision.outcome is Outcome.DENY
    assert decision.reasons == (
        Reason(ReasonKind.FORBIDDEN, "refunds.fraud", "customer c1 is under review"),
    )


def test_an_approval_that_lacks_is_asked_for() -> None:
    """A large refund needs approval, and says by whom and within how long."""
    decision = decided(REFUNDS, request("300.00"))
    assert decision.outcome is Outcome.NEEDS_APPROVAL
    assert decision.requires == (
        Requirement("refunds.large_refund", "manager", dt.timedelta(hours=4), (), False),
    )
    assert decision.reasons == (
        Reason(
            ReasonKind.NEEDS_APPROVAL,
            "refunds.large_refund",
            "refund needs approval by manager within 4 hours",
        ),
    )


def test_a_granted_approval_counts_as_an_allow() -> None:
    """With the approval the same refund is allowed, by the rule that required it."""
    decision = decided(REFUNDS, request("300.00", approval=[approval()]))
    assert decision.outcome is Outcome.ALLOW
    assert decision.determining == ("refunds.large_refund",)
    assert decision.reasons[0].kind is ReasonKind.ALLOWED
    assert decision.requires[0].granted


@pytest.mark.parametrize(
    ("row", "granted"),
    [
        (approval(), True),
        (approval(ago=4 * HOUR), True),
        (approval(ago=4 * HOUR + dt.timedelta(microseconds=1)), False),
        (approval(ago=dt.timedelta(0)), True),
        (approval(ago=-HOUR), False),
        (approval("board"), False),
    ],
)
def test_an_approval_is_granted_by_its_role_and_in_time(
    row: tuple[Value, ...], granted: bool
) -> None:
    """It counts from the given role only, not after now, and at most the given time before."""
    decision = decided(REFUNDS, request("300.00", approval=[row]))
    assert decision.requires[0].granted is granted


def test_an_override_suppresses_and_says_so() -> None:
    """The board's exception takes the fraud rule out, and the decision names both."""
    board = [approval("board")]
    decision = decided(REFUNDS, request(refunds__reported=[("c1", "shop")], approval=board))
    assert decision.outcome is Outcome.ALLOW
    assert decision.suppressed == (Suppression("refunds.fraud", "refunds.board_exception"),)
    assert decision.determining == ("refunds.board_exception", "refunds.small_refund")


def test_an_obligation_rides_on_every_outcome() -> None:
    """The duty to log is there on allow, deny and needs approval."""
    duty = (Obligation("log", (("level", "info"),), "refunds.log"),)
    for asked in (request(), request(scopes=()), request("300.00")):
        assert decided(REFUNDS, asked).obligations == duty


def test_a_value_is_set_by_its_rule_or_by_default() -> None:
    """A decision has the value of the rule that sets it, else its default."""
    queue = "refunds.queue"
    assert decided(REFUNDS, request()).values == {
        queue: Assignment(queue, "fast", ("refunds.fast_queue",))
    }
    assert decided(REFUNDS, request(tier="free")).values == {queue: Assignment(queue, "normal", ())}


# --- invariants -------------------------------------------------------------------------------------------


def test_a_violated_invariant_denies_and_is_named() -> None:
    """What an invariant says must never be allowed is denied, and marked as violated."""
    broken = rule("m.n", Never(NeverEffect.ALLOW))
    decision = simple(rule("m.a", Allow()), broken)
    assert decision.outcome is Outcome.DENY
    assert (decision.violated, decision.determining) == (("m.n",), ("m.n",))
    assert decision.reasons == (
        Reason(ReasonKind.INVARIANT_VIOLATED, "m.n", "refund would violate the invariant n"),
    )


def test_an_invariant_about_another_outcome_is_kept() -> None:
    """An invariant against allow is not violated by a denial."""
    decision = simple(rule("m.d", Deny()), rule("m.n", Never(NeverEffect.ALLOW)))
    assert decision.violated == ()
    assert [reason.kind for reason in decision.reasons] == [ReasonKind.FORBIDDEN]


def test_an_invariant_against_denial_is_marked_beside_it() -> None:
    """A denial that must never be stays a denial, with both reasons."""
    decision = simple(rule("m.d", Deny()), rule("m.n", Never(NeverEffect.DENY)))
    assert decision.violated == ("m.n",)
    assert decision.determining == ("m.d", "m.n")
    assert {r.kind for r in decision.reasons} == {
        ReasonKind.FORBIDDEN,
        ReasonKind.INVARIANT_VIOLATED,
    }


def test_an_invariant_against_denial_covers_what_nothing_allows() -> None:
    """Where nothing allows an action that must never be denied, both are said."""
    decision = simple(rule("m.n", Never(NeverEffect.DENY)))
    assert [r.kind for r in decision.reasons] == [
        ReasonKind.INVARIANT_VIOLATED,
        ReasonKind.NOTHING_ALLOWS,
    ]


def test_an_invariant_is_judged_on_what_the_rules_say() -> None:
    """An invariant's denial does not itself violate an invariant against denials."""
    decision = simple(
        rule("m.a", Allow()),
        rule("m.n1", Never(NeverEffect.ALLOW)),
        rule("m.n2", Never(NeverEffect.DENY)),
    )
    assert decision.violated == ("m.n1",)


def test_no_rule_overrides_an_invariant() -> None:
    """Naming an invariant under `overrides` suppresses nothing."""
    decision = simple(
        rule("m.a", Allow(), overrides=("m.n",)), rule("m.n", Never(NeverEffect.ALLOW))
    )
    assert (decision.outcome, decision.suppressed) == (Outcome.DENY, ())


# --- limits, approvals, duties -------------------------------------------------------------------------------


def test_a_limit_is_a_denial_with_a_reason_of_its_own() -> None:
    """A limit that is reached denies, and the reason says that it is a limit."""
    decision = simple(rule("m.a", Allow()), rule("m.weekly", Deny(limit="m.weekly")))
    assert decision.outcome is Outcome.DENY
    assert decision.reasons == (
        Reason(ReasonKind.LIMIT_REACHED, "m.weekly", "the limit weekly on refund is reached"),
    )


def test_one_approval_of_two_is_not_enough() -> None:
    """Where two approvals are required and one is granted, the other one is asked for alone."""
    asked = [rule(f"m.{by}", RequireApproval(const(by), None)) for by in ("board", "legal")]
    decision = decided(program(asked, [REFUND]), facts(approval=[approval("legal")]))
    assert decision.outcome is Outcome.NEEDS_APPROVAL
    assert decision.determining == ("m.board",)
    assert [(r.by, r.granted) for r in decision.requires] == [("board", False), ("legal", True)]
    assert [r.rule for r in decision.reasons] == ["m.board"]


def test_a_requirement_is_listed_beside_a_denial() -> None:
    """What would have been required is said on a denial too, where it counts."""
    decision = simple(rule("m.d", Deny()), rule("m.r", RequireApproval(const("board"), None)))
    assert decision.outcome is Outcome.DENY
    assert [r.by for r in decision.requires] == ["board"]


def test_suppressed_rules_say_nothing_at_all() -> None:
    """Neither approvals nor duties nor values of suppressed rules are in the decision."""
    declared = DecisionDeclaration("m.queue", Domain(STRING), "normal")
    quiet = (
        rule("m.r", RequireApproval(const("board"), None)),
        rule("m.o", Oblige("log", ())),
        rule("m.s", Assign("m.queue", const("fast"), 5), actions=()),
    )
    top = rule("m.a", Allow(), overrides=("m.r", "m.o", "m.s"))
    decision = simple(*quiet, top, decisions=(declared,))
    assert decision.outcome is Outcome.ALLOW
    assert (decision.requires, decision.obligations) == ((), ())
    assert decision.values["m.queue"].value == "normal"
    assert [s.rule for s in decision.suppressed] == ["m.o", "m.r", "m.s"]


# --- values ------------------------------------------------------------------------------------------------

NUMBER = DecisionDeclaration("m.cap", Domain(USD, low=Decimal(0), high=Decimal(100)), Decimal(5))


def _set(name: str, value: Value, priority: int = 0) -> Rule:
    return rule(
        f"m.{name}", Assign("m.cap", Constant(value, DecimalType(None)), priority), actions=()
    )


def test_the_highest_priority_wins() -> None:
    """Of two rules that set a decision, the one of higher priority does."""
    decision = simple(_set("low", Decimal(1)), _set("high", Decimal(2), 1), decisions=(NUMBER,))
    assert decision.values["m.cap"] == Assignment("m.cap", Decimal("2.00"), ("m.high",))


def test_equal_values_are_no_conflict() -> None:
    """Two rules that set the same value both gave it, and it has the places of its type."""
    decision = simple(_set("b", Decimal("2.0")), _set("a", 2), decisions=(NUMBER,))
    assigned = decision.values["m.cap"]
    assert (str(assigned.value), assigned.rules) == ("2.00", ("m.a", "m.b"))


def test_different_values_conflict_and_leave_none() -> None:
    """Different values of equal highest priority give no value, not even the default."""
    decision = simple(
        rule("m.ok", Allow()),
        _set("a", 1),
        _set("b", 2),
        _set("c", 3, -1),
        decisions=(NUMBER,),
    )
    assert decision.values["m.cap"] == Assignment("m.cap", None, ("m.a", "m.b"), conflict=True)
    assert decision.outcome is Outcome.ALLOW


def test_a_decision_without_value_and_default_is_left_out() -> None:
    """Where no rule sets a decision that has no default there is nothing to say of it."""
    bare = DecisionDeclaration("m.cap", Domain(INT), MISSING)
    assert simple(decisions=(bare,)).values == {}


def test_a_request_may_ask_for_some_values_only() -> None:
    """Where a request names decisions, the answer has the values of those alone."""
    other = DecisionDeclaration("m.queue", Domain(STRING), "normal")
    policy = program([_set("a", 1)], [REFUND], decisions=(NUMBER, other))
    asked = dataclasses.replace(facts(), asked=("m.queue",))
    assert list(decided(policy, asked).values) == ["m.queue"]
    assert set(decided(policy, facts()).values) == {"m.cap", "m.queue"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (Decimal("100.01"), FailureKind.OUT_OF_RANGE),
        (Decimal("-1"), FailureKind.OUT_OF_RANGE),
        (Decimal("1.001"), FailureKind.TOO_MANY_PLACES),
    ],
)
def test_a_value_that_its_type_does_not_hold_fails(value: Decimal, code: FailureKind) -> None:
    """A rule that sets a value outside of the declared range fails the decision, which denies."""
    decision = simple(rule("m.ok", Allow()), _set("a", value), decisions=(NUMBER,))
    assert decision.outcome is Outcome.DENY
    assert decision.failure is not None
    assert (decision.failure.rule, decision.failure.code) == ("m.a", code.value)


# --- failures and refusals ----------------------------------------------------------------------------------


def test_a_failed_evaluation_denies() -> None:
    """A failure is a denial with the failure as its reason, and nothing else is said."""
    failure = Failure("refunds.fraud", FailureKind.DIVISION_BY_ZERO.value, "division by zero")
    decision = decide(REFUNDS, request(), failure)
    assert decision.outcome is Outcome.DENY
    assert decision.failure == failure
    assert decision.reasons == (
        Reason(
            ReasonKind.EVALUATION_FAILED,
            "refunds.fraud",
            "the rule fraud could not be evaluated: division by zero",
        ),
    )
    assert (decision.obligations, decision.values, decision.firings) == ((), {}, ())


def test_a_failure_of_no_rule_is_its_own_reason() -> None:
    """A time limit blames no rule."""
    failure = Failure("", FailureKind.TIME_LIMIT.value, "it took more than 5 seconds")
    (reason,) = decide(REFUNDS, request(), failure).reasons
    assert (reason.rule, reason.message) == ("", "it took more than 5 seconds")


@pytest.mark.parametrize("kind", RejectionKind)
def test_a_refused_request_is_a_denial_of_its_kind(kind: RejectionKind) -> None:
    """Each kind of rejection is a denial whose reasons tell it apart, one a problem."""
    problems = (
        Problem("PL0609", "refund.amount", "/args/amount", "true is no Decimal(2)"),
        Problem("PL0608", "customer", "/facts", "the request lacks this fact"),
    )
    needs = (NeededFact("refunds.customer", ("id: String",)),)
    rejection = Rejection(kind, "refunds.refund", problems, needs, more=3)
    decision = refuse(REFUNDS, rejection)
    assert decision.outcome is Outcome.DENY
    assert {reason.kind.value for reason in decision.reasons} == {kind.value}
    assert [reason.message for reason in decision.reasons] == [
        "refund.amount: true is no Decimal(2)",
        "customer: the request lacks this fact",
        "and 3 more",
    ]
    assert decision.rejection == rejection


@pytest.mark.parametrize("name", ["refunds.nobody", "refunds.fast_queue/1"])
def test_a_firing_of_an_unknown_rule_is_a_bug(name: str) -> None:
    """What an evaluator says of a rule that the program does not have is never decided on."""
    with pytest.raises(InternalError, match="no rule about"):
        decide(REFUNDS, request(), Firings((Firing(name, ()),)))


def test_a_firing_of_another_action_is_a_bug() -> None:
    """A rule about another action never decides this one."""
    other = dataclasses.replace(request(), action="refunds.credit")
    with pytest.raises(InternalError, match=r"no rule about `refunds\.credit`"):
        decide(REFUNDS, other, Firings((Firing("refunds.board_exception", ()),)))


# --- sentences --------------------------------------------------------------------------------------------


def test_a_reason_for_each_message() -> None:
    """A rule that fired several times gives each different message once."""
    amount = var("A", USD)
    firings = tuple(Firing("m.d", (Decimal(text),)) for text in ("1.00", "2.00", "2.00"))
    policy = program(
        [rule("m.d", Deny(), variables=(amount,), because=message("over ", amount))], [REFUND]
    )
    decision = decide(policy, facts(), Firings(firings))
    assert [reason.message for reason in decision.reasons] == ["over 1.00", "over 2.00"]


def test_an_internal_message_is_marked() -> None:
    """A message declared internal gives an internal reason."""
    policy = rule("m.d", Deny(), because=message("score too low", internal=True))
    assert [reason.internal for reason in simple(policy).reasons] == [True]


def test_a_missing_value_shows_as_missing() -> None:
    """A blank whose path has no value says so, and the message stands."""
    policy = program(
        [rule("m.d", Deny(), because=message("for ", read(REFUND, "reason")))], [REFUND]
    )
    assert decided(policy, request()).reasons[0].message == "for (missing)"
    assert decided(policy, request(reason="late")).reasons[0].message == "for late"


def test_a_secret_value_is_not_shown() -> None:
    """A blank that shows a secret field, read or carried there by a definition, shows `(secret)`."""
    card = relation("m.card", number=Field("number", Domain(STRING), secret=True))
    number = var("N")
    policy = program(
        [
            clause("m.used", (number,), match("m.card", number)),
            rule(
                "m.d",
                Deny(),
                match("m.used", number),
                variables=(number,),
                because=message("card ", number, ", ", read(card, "number")),
            ),
        ],
        [card, REFUND],
        [predicate("m.used", STRING)],
    )
    decision = decided(policy, facts(m__card=[("4111",)]))
    assert decision.reasons[0].message == "card (secret), (secret)"


# --- laws --------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(cases())
def test_every_evaluation_has_a_decision(found: Case) -> None:
    """Whatever an evaluator answers, there is one decision; a failure never allows, an allow has a rule."""
    declared = DecisionDeclaration("m.queue", Domain(STRING), "normal")
    schema = dataclasses.replace(found.program.schema, decisions={"m.queue": declared})
    policy = dataclasses.replace(found.program, schema=schema)
    authorizer = Authorizer(policy, found.reference)
    for asked in found.requests:
        evaluation = evaluate(policy, found.reference, asked)
        decision = authorizer.decide(asked, evaluation)
        assert decision == decide(policy, asked, evaluation, found.reference)
        assert decision.reasons
        if isinstance(evaluation, Failure):
            assert decision.outcome is Outcome.DENY
        if decision.outcome is Outcome.ALLOW:
            assert decision.determining


def test_a_duration_is_written_as_people_say_it() -> None:
    """The message of a requirement says its time in words."""
    half_day = Constant(dt.timedelta(hours=12, minutes=30), DURATION)
    decision = simple(rule("m.r", RequireApproval(const("board"), half_day)))
    assert (
        decision.reasons[0].message == "refund needs approval by board within 12 hours 30 minutes"
    )


def test_the_decision_names_its_program() -> None:
    """A decision names the program's digest and its modules, refused ones too."""
    rejection = Rejection(RejectionKind.UNKNOWN_ACTION, "pay", ())
    for decision in (decided(REFUNDS, request()), refuse(REFUNDS, rejection)):
        assert decision.program == REFUNDS.digest
        assert decision.modules == REFUNDS.modules


@pytest.mark.parametrize(
    ("ids", "outcome"),
    [(("a",), "needs_approval"), (("a", "a"), "needs_approval"), (("a", "b"), "allow")],
)
def test_as_many_approvals_are_needed_as_are_counted(ids: tuple[str, ...], outcome: str) -> None:
    """`count: 2` asks for two approvals of the role with different identities."""
    bundle = loads(
        'module shop action pay rule two: require approval(by: "manager", count: 2) for pay'
    )
    given = [{"by": "manager", "id": id_, "time": "2026-11-22T09:00:00Z"} for id_ in ids]
    request = {"action": "pay", "now": "2026-11-22T10:00:00Z", "approvals": given}
    assert bundle.decide(request).outcome.value == outcome
