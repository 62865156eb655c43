"""The schema of a small shop, as a checker would build it, and a request that is valid for it."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet, Row
from policylang.facts.rejection import Problem, Rejection, RejectionKind
from policylang.facts.schema import (
    Cardinality,
    DecisionDeclaration,
    LimitHistory,
    PathRead,
    Relation,
    RelationKind,
    Schema,
    Source,
)
from policylang.facts.types import (
    BOOL,
    DATE,
    DATETIME,
    INT,
    STRING,
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    Member,
    RecordType,
    RefType,
    SetType,
)
from policylang.facts.values import MISSING

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)

TIER = EnumType(
    "refunds.Tier",
    (Member("free"), Member("pro", ("professional",)), Member("enterprise")),
    ("trim", "lower"),
)
COLOR = EnumType("refunds.Color", (Member("red"), Member("green")))
MONEY = Domain(DecimalType(2), low=Decimal("0.00"), high=Decimal("1000000.00"))
USD = Domain(MONEY.type, MONEY.low, MONEY.high, normalizers=("currency",), alias="Usd")
LINE = RecordType(
    (
        Field("sku", Domain(STRING)),
        Field("price", USD),
        Field("note", Domain(STRING), optional=True),
        Field("tags", Domain(SetType(Domain(STRING))), default=frozenset()),
    )
)


def string(name: str, **more: Any) -> Field:
    """A plain String field."""
    return Field(name, Domain(STRING), **more)


def fact(name: str, cardinality: Cardinality, *columns: Field, **more: Any) -> Relation:
    """A fact of the module `refunds`."""
    return Relation(f"refunds.{name}", "refunds", RelationKind.FACT, cardinality, columns, **more)


def action(name: str, *columns: Field, **more: Any) -> Relation:
    """An action of the module `refunds`."""
    kind = RelationKind.ACTION
    return Relation(f"refunds.{name}", "refunds", kind, Cardinality.ONE, columns, **more)


def items(parent: str, field: str, *columns: Field) -> Relation:
    """The relation that unfolds a list or set field."""
    return Relation(
        f"{parent}.{field}",
        "refunds",
        RelationKind.ITEMS,
        Cardinality.MANY,
        columns,
        parent=parent,
        parent_field=field,
    )


AGENT = fact(
    "agent",
    Cardinality.ONE,
    string("id", key=True),
    Field("scopes", Domain(SetType(Domain(STRING)))),
    string("role", optional=True),
)
CUSTOMER = fact(
    "customer",
    Cardinality.ONE,
    string("id", key=True),
    Field("tier", Domain(TIER)),
    Field("age_days", Domain(INT, low=0)),
    Field("flagged", Domain(BOOL), default=False),
    Field("token", Domain(STRING), optional=True, secret=True),
    minimum_source=Source.TOOL,
)
LINKED = fact("linked", Cardinality.MANY, string("a"), string("b"))
ORDER = fact(
    "order",
    Cardinality.MANY,
    string("id", key=True),
    Field("customer", Domain(RefType("refunds.customer", STRING))),
    Field("lines", Domain(ListType(Domain(LINE)))),
    Field("paid", Domain(DATE), optional=True),
)
SEEN = fact(
    "seen", Cardinality.OPTIONAL, Field("order", Domain(RefType("refunds.order", STRING, True)))
)
REFUND = action(
    "refund",
    string("customer_id"),
    Field("amount", USD),
    Field("color", Domain(COLOR), default="red"),
    string("reason", optional=True),
)
CREDIT = action("credit", Field("amount", MONEY))
CLOSE = action("close")
KEY_OF_ORDER = Field("order", Domain(RefType("refunds.order", STRING)))
INDEX = Field("index", Domain(INT, low=1))
RELATIONS = (
    AGENT,
    items(AGENT.name, "scopes", Field("agent", Domain(STRING)), Field("value", Domain(STRING))),
    CUSTOMER,
    LINKED,
    ORDER,
    items(ORDER.name, "lines", KEY_OF_ORDER, INDEX, *LINE.fields),
    items(
        f"{ORDER.name}.lines", "tags", KEY_OF_ORDER, Field("lines", Domain(INT)), string("value")
    ),
    SEEN,
    REFUND,
    CREDIT,
    CLOSE,
    Relation(
        "refunds.money",
        "refunds",
        RelationKind.GROUP,
        Cardinality.ONE,
        (Field("amount", USD),),
        members=(REFUND.name, CREDIT.name),
    ),
    Relation(
        "refunds.weekly.history",
        "refunds",
        RelationKind.HISTORY,
        Cardinality.MANY,
        (
            string("customer_id"),
            string("id"),
            Field("amount", USD),
            Field("time", Domain(DATETIME)),
        ),
    ),
    Relation("now", "", RelationKind.BUILTIN, Cardinality.ONE, (Field("value", Domain(DATETIME)),)),
    Relation(
        "approval",
        "",
        RelationKind.BUILTIN,
        Cardinality.MANY,
        (string("by"), string("id"), Field("time", Domain(DATETIME))),
    ),
)
SCHEMA = Schema(
    relations={relation.name: relation for relation in RELATIONS},
    params={},
    decisions={
        "refunds.queue": DecisionDeclaration("refunds.queue", Domain(STRING), MISSING),
    },
    histories=(
        LimitHistory(
            "refunds.weekly.history",
            (REFUND.name,),
            (
                PathRead(REFUND.name, "customer_id"),
                PathRead(AGENT.name, "id"),
                PathRead("refunds.money", "amount"),
            ),
        ),
    ),
)
BORDER = compile_border(SCHEMA, clock=lambda: NOW)

REQUEST: dict[str, Any] = {
    "action": "refund",
    "args": {"customer_id": "c1", "amount": "48.00"},
    "agent": {"id": "bot-7", "scopes": ["refunds:write", "orders:read"]},
    "facts": {
        "customer": {"id": "c1", "tier": "pro", "age_days": 400},
        "linked": [{"a": "c1", "b": "c9"}, {"a": "c1", "b": "c9"}],
    },
    "now": "2026-11-22T10:00:00Z",
    "decisions": [],
}


def request(**changes: Any) -> dict[str, Any]:
    """The valid request with other values; keys are paths with `__` between their parts.

    A value of `...` takes the key away.
    """
    changed = copy.deepcopy(REQUEST)
    for path, value in changes.items():
        *outer, last = path.split("__")
        inner = changed
        for step in outer:
            inner = inner.setdefault(step, {})
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return changed


def accepted(given: Any) -> FactSet:
    """The facts of a request that has to be valid."""
    answer = BORDER.validate(given)
    assert isinstance(answer, FactSet), answer.text()
    return answer


def rejected(given: Any, kind: RejectionKind = RejectionKind.INVALID_FACTS) -> Rejection:
    """The rejection of a request that has to be refused in this way."""
    answer = BORDER.validate(given)
    assert isinstance(answer, Rejection)
    assert answer.kind is kind, answer.text()
    assert answer.problems
    return answer


def only_problem(given: Any, kind: RejectionKind = RejectionKind.INVALID_FACTS) -> Problem:
    """The one problem of a request."""
    (found,) = rejected(given, kind).problems
    return found


def values(facts: FactSet, relation: str) -> list[tuple[Any, ...]]:
    """The values of the rows of a relation of `refunds`."""
    rows: tuple[Row, ...] = facts.of(relation)
    assert [row.id for row in rows] == list(range(len(rows)))
    return [row.values for row in rows]
