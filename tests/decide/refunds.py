"""The refund policy of the language's description, as a program made by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from policylang.facts.factset import FactSet
from policylang.facts.schema import Cardinality, DecisionDeclaration, RelationKind
from policylang.facts.types import (
    BOOL,
    DURATION,
    INT,
    STRING,
    Domain,
    EnumType,
    Field,
    Member,
    SetType,
)
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    ANY,
    Allow,
    Assign,
    Constant,
    Deny,
    Never,
    NeverEffect,
    Oblige,
    Operation,
    RequireApproval,
)
from tests.decide.building import (
    USD,
    clause,
    const,
    either,
    facts,
    holds,
    match,
    message,
    negated,
    predicate,
    program,
    read,
    relation,
    rule,
    var,
)

TIER = EnumType("refunds.Tier", (Member("free"), Member("pro"), Member("enterprise")))

AGENT = relation("refunds.agent", id=STRING, scopes=SetType(Domain(STRING)))
CUSTOMER = relation(
    "refunds.customer",
    reads="the customer {id} is of tier {tier}",
    id=STRING,
    tier=TIER,
    age_days=INT,
    flagged=BOOL,
)
LINKED = relation("refunds.linked", cardinality=Cardinality.MANY, a=STRING, b=STRING)
REPORTED = relation(
    "refunds.reported",
    cardinality=Cardinality.MANY,
    reads="{by} reported customer {customer}",
    customer=STRING,
    by=STRING,
)
REFUND = relation(
    "refunds.refund",
    RelationKind.ACTION,
    customer_id=STRING,
    amount=USD,
    reason=Field("reason", Domain(STRING), optional=True),
)
CAP = relation("refunds.refund_cap", RelationKind.TABLE, Cardinality.MANY, tier=TIER, cap=USD)

AUTO_LIMIT = Constant(Decimal("200.00"), USD, param="refunds.auto_limit")
SCOPES_READ, SCOPES = read(AGENT, "scopes")
AMOUNT_READ, AMOUNT = read(REFUND, "amount")
CUSTOMER_READ, CUSTOMER_ID = read(REFUND, "customer_id")
TIER_READ, TIER_OF = read(CUSTOMER, "tier")
FLAGGED_READ, FLAGGED = read(CUSTOMER, "flagged")
C, D, CAP_OF = var("C"), var("D"), var("Cap", USD)
FOUR_HOURS = Constant(dt.timedelta(hours=4), DURATION)

HAS_SCOPE = (
    SCOPES_READ,
    holds(Operation.HAS, SCOPES, const("refunds:write"), 'agent.scopes has "refunds:write"'),
)
IS_FLAGGED = (FLAGGED_READ, holds(Operation.EQ, FLAGGED, const(True), "customer.flagged"))
GRANTED = match("approval", const("board"), ANY, ANY, text='approvals.granted("board")')

REFUNDS = program(
    [
        clause("refunds.suspicious", (C,), match("refunds.reported", C, ANY)),
        clause(
            "refunds.suspicious",
            (C,),
            match("refunds.linked", C, D),
            match("refunds.suspicious", D),
            number=2,
        ),
        rule(
            "refunds.small_refund",
            Allow(),
            *HAS_SCOPE,
            AMOUNT_READ,
            holds(Operation.LE, AMOUNT, AUTO_LIMIT, "refund.amount <= auto_limit"),
            TIER_READ,
            match("refunds.refund_cap", TIER_OF, CAP_OF),
            holds(Operation.LE, AMOUNT, CAP_OF, "refund.amount <= Cap"),
            variables=(CAP_OF,),
            because=message("a refund of ", (AMOUNT_READ, AMOUNT), " is within ", CAP_OF),
        ),
        rule(
            "refunds.large_refund",
            RequireApproval(const("manager"), FOUR_HOURS),
            *HAS_SCOPE,
            AMOUNT_READ,
            holds(Operation.GT, AMOUNT, AUTO_LIMIT, "refund.amount > auto_limit"),
        ),
        rule(
            "refunds.fraud",
            Deny(),
            either(
                (CUSTOMER_READ, match("refunds.suspicious", CUSTOMER_ID)),
                IS_FLAGGED,
                text="suspicious(refund.customer_id) or customer.flagged",
            ),
            because=message("customer ", (CUSTOMER_READ, CUSTOMER_ID), " is under review"),
        ),
        rule("refunds.board_exception", Allow(), GRANTED, overrides=("refunds.fraud",)),
        rule(
            "refunds.pay_a_flagged_customer",
            Never(NeverEffect.ALLOW),
            *IS_FLAGGED,
            negated(GRANTED, text='not approvals.granted("board")'),
        ),
        rule("refunds.log", Oblige("log", (("level", const("info")),))),
        rule(
            "refunds.fast_queue",
            Assign("refunds.queue", const("fast"), 0),
            TIER_READ,
            holds(Operation.EQ, TIER_OF, const("pro", TIER), "customer.tier == pro"),
            actions=(),
        ),
    ],
    [AGENT, CUSTOMER, LINKED, REPORTED, REFUND, CAP],
    [
        predicate(
            "refunds.suspicious",
            STRING,
            parameters=("C",),
            reads=message("customer ", C, " is under suspicion"),
            recursive=True,
        )
    ],
    [DecisionDeclaration("refunds.queue", Domain(STRING), "normal")],
    {
        "refunds.refund_cap": (
            ("free", Decimal("50.00")),
            ("pro", Decimal("500.00")),
            ("enterprise", Decimal("5000.00")),
        )
    },
)


def request(
    amount: str = "48.00",
    tier: str = "pro",
    *,
    flagged: bool = False,
    scopes: tuple[str, ...] = ("refunds:write",),
    reason: str | Missing = Missing.MISSING,
    **more: list[tuple[Value | Missing, ...]],
) -> FactSet:
    """A refund for customer c1; `more` are rows of other relations."""
    return facts(
        refunds__refund=[("c1", Decimal(amount), reason)],
        refunds__agent=[("bot-7", frozenset(scopes))],
        refunds__customer=[("c1", tier, 400, flagged)],
        **more,
    )
