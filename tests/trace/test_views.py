"""The views: their columns are the documented ones, here and in the file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from policylang.bundle.loading import loads
from policylang.trace.audit import audit
from policylang.trace.documented import DOCUMENTED
from policylang.trace.reading import Filter, TraceQueryError
from policylang.trace.store import TraceStore
from policylang.trace.views import VIEWS
from tests.trace.deciding import bundle, request

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "audits.md"
VIEWS_OF_PAGE = PAGE.read_text("utf-8").partition("## From the command line")[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TraceStore]:
    """A store of one decision."""
    with TraceStore.open(tmp_path / "traces.duckdb") as store, bundle() as policy:
        store.record(policy.case(request("12.50", name="ann", card="4111-1111")), agent="bot")
        yield store


def test_each_view_has_the_documented_columns(store: TraceStore) -> None:
    """A view's columns, in their order, are those that are documented in the program and on the page."""
    with store.view() as view:
        for name in VIEWS:
            columns = [row[0] for row in view.query(f"DESCRIBE {name}")[1]]
            assert columns == list(DOCUMENTED[name].columns)
            (row,) = re.findall(rf"^\| `{name}` \| [^|]* \| (.*) \|$", VIEWS_OF_PAGE, re.MULTILINE)
            assert re.findall(r"`([a-z_]+)`", row) == columns


def test_nothing_else_is_documented() -> None:
    """Every documented view is there."""
    assert DOCUMENTED.keys() == VIEWS.keys()


def test_any_client_sees_the_views_of_the_file(store: TraceStore) -> None:
    """DuckDB alone answers over a folded file, with facts in their types."""
    store.fold()
    store.close()
    with duckdb.connect(str(store.path), read_only=True) as database:
        found = database.execute("""
            SELECT d.outcome, r.amount, typeof(r.amount), c.tier FROM decisions AS d
            JOIN facts.refund AS r ON r.decision = d.id JOIN facts.customer AS c ON c.decision = d.id
            WHERE r.amount BETWEEN 12 AND 13""").fetchall()
        for name in VIEWS:
            database.execute(f"SELECT * FROM {name}")
    assert [(o, str(a), t, tier) for o, a, t, tier in found] == [
        ("allow", "12.50", "DECIMAL(38,2)", "pro")
    ]


def test_answers_go_into_arrow_polars_and_pandas(store: TraceStore) -> None:
    """The connection of a view gives its answers to each of them, typed facts as exact as they were."""
    for library in ("pyarrow", "polars", "pandas"):
        pytest.importorskip(library, exc_type=ImportError)
    wanted = {"action": "refunds.refund", "outcome": "allow", "amount": Decimal("12.50")}
    with store.view() as view:
        asked = view.database.sql("""
            SELECT action, outcome, amount FROM decisions AS d JOIN facts.refund AS r ON r.decision = d.id""")
        assert asked.to_arrow_table().to_pylist() == [wanted]
        assert asked.pl().to_dicts() == [wanted]
        frame = asked.df()
    assert list(frame.columns) == list(wanted)
    # pandas has no decimals of its own.
    assert frame.to_dict("records") == [{**wanted, "amount": 12.5}]


def test_every_kind_of_record_has_a_view_for_people(store: TraceStore) -> None:
    """What a store was told of the world, of versions, gaps, erasures and retentions is rows, typed and countable."""
    (decision,) = store.records(Filter(kind="decision"))
    for value in (True, 3, "12.50"):
        store.write("metric", {"decision": decision.id, "name": "cost", "value": value})
    version = {
        "module": "refunds",
        "version": "1.3.0",
        "by": "ann",
        "text": "module refunds",
        "params": {"a": "1"},
    }
    store.write("module", version)
    kinds = {"same": 90, "duties": 2, "looser": 1, "error": 7}
    spanned = {"first": "2026-11-01T00:00:00.000Z", "last": "2026-11-20T09:00:00.000Z"}
    tested = {
        "module": "refunds",
        "version": "1.3.0",
        "by": "bob",
        "kinds": kinds,
        "skipped": 4,
        **spanned,
    }
    store.write("backtest", tested)
    store.write("gap", {"count": 2, "lost": ["x", "y"]})
    store.write(
        "erasure", {"handles": ["h1", "h2"], "subjects": ["customer=c-17"], "reason": "asked"}
    )
    store.write("retention", {"before": "2026-01-01T00:00:00.000000Z", "records": 8, "chains": []})
    with store.view() as view:
        asked: dict[str, Any] = {
            "sum(number) FROM metrics JOIN decisions AS d ON d.id = decision": (Decimal("16.500000"),),
            "module, version, person, text, params->>'a' FROM versions": (
                "refunds", "1.3.0", "ann", "module refunds", "1",
            ),
            "same, reasons, duties, tighter, looser, errors, skipped, last - first FROM backtests": (
                90, 0, 2, 0, 1, 7, 4, dt.timedelta(days=19, hours=9),
            ),
            "lost, decisions FROM gaps": (2, ["x", "y"]),
            "keys, subjects, reason FROM erasures": (2, ["customer=c-17"], "asked"),
            "before, records, chains FROM retentions": (dt.datetime.fromisoformat("2026-01-01"), 8, 0),
            "count(*) FROM records WHERE sha256(text) = digest": (11,),
        }  # fmt: skip
        assert {sql: view.query(f"SELECT {sql}")[1] for sql in asked} == {
            sql: [row] for sql, row in asked.items()
        }


TYPES = """
module shop version "1.0.0"
enum Tier { free, pro }
fact order {
  id: String key, joined: Date, seen: DateTime, open: Time, age: Duration, tier: Tier, score: Decimal(4)?, net: Cidr,
  vip: Bool, tags: Set[String], counts: List[Int], prices: List[Decimal(2)], pauses: List[Duration], most: Int,
  none: Int?, parts: List[{ sku: String, n: Int }]
}
action ship
rule all: allow ship if order.vip
"""
GIVEN = {
    "id": "o-1", "joined": "2024-02-29", "seen": "2026-11-19T10:00:00.5Z", "open": "09:30:00", "age": "-P3DT4H5.25S",
    "tier": "pro", "score": "1.5000", "net": "10.0.0.0/8", "vip": True, "tags": ["b", "a,c"], "counts": [1, 2],
    "prices": ["1.50"], "pauses": ["PT1H"], "most": 10**37, "parts": [{"sku": "p", "n": 1}],
}  # fmt: skip


def test_facts_of_every_type_are_columns_of_theirs(tmp_path: Path) -> None:
    """Each type has its SQL type, with its value exact; what is absent is null."""
    with loads(TYPES) as policy, TraceStore.open(tmp_path / "t.duckdb") as store:
        request = {"action": "ship", "now": "2026-11-20T09:00:00Z", "facts": {"order": GIVEN}}
        store.record(policy.case(request))
        with store.view() as view:
            names, (row,) = view.query("SELECT * EXCLUDE (decision, row, source) FROM facts.order")
            types = {name: type_ for name, type_, *_ in view.query("DESCRIBE facts.order")[1]}
    assert dict(zip(names, row, strict=True)) == {
        "id": "o-1",
        "joined": dt.date(2024, 2, 29),
        "seen": dt.datetime.fromisoformat("2026-11-19T10:00:00.500"),
        "open": dt.time(9, 30),
        "age": -dt.timedelta(days=3, hours=4, seconds=5.25),
        "tier": "pro",
        "score": Decimal("1.5000"),
        "net": "10.0.0.0/8",
        "vip": True,
        "tags": ["a,c", "b"],
        "counts": [1, 2],
        "prices": [Decimal("1.50")],
        "pauses": '["PT1H"]',
        "most": 10**37,
        "none": None,
        "parts": '[{"n":1,"sku":"p"}]',
    }
    assert (types["age"], types["tags"], types["prices"]) == (
        "INTERVAL", "VARCHAR[]", "DECIMAL(38,2)[]",
    )  # fmt: skip


ODD = r"""
module shop version "1.0.0"
fact customer { userId: String, userid: Int, row: Int, decision: String }
fact `Order Total` { `a"b`: String, `c\d`: Int, `x.y`: String, `e/f~g`: String, `'q'`: String, `*`: String }
fact `order total` { n: Int }
fact order_total { n: Int }
action `Re"fund` { amount: Decimal(2), `to whom?`: String? }
rule all: allow `Re"fund` if customer.userid == 1 and `Order Total`.`c\d` > 0 and `order total`.n == 2 and order_total.n == 1
"""
ODDITIES = {'a"b': "quote", r"c\d": 5, "x.y": "dot", "e/f~g": "slash", "'q'": "tick", "*": "star"}
ODD_REQUEST = {
    "action": 'Re"fund',
    "args": {"amount": "12.50", "to whom?": "bob"},
    "facts": {
        "customer": {"userId": "U", "userid": 1, "row": 7, "decision": "d"},
        "Order Total": ODDITIES,
        "order total": {"n": 2},
        "order_total": {"n": 1},
    },
}  # fmt: skip


def test_names_of_every_kind_can_be_asked_for(tmp_path: Path) -> None:
    """Names with quotes, dots, slashes, and names that differ in capitals alone are columns, folded or not."""
    with loads(ODD) as policy, TraceStore.open(tmp_path / "t.duckdb") as store:
        id_ = store.record(policy.case(ODD_REQUEST))
        store.outcome(
            id_,
            "executed",
            action='Re"fund',
            arguments={"amount": "12.5", "to whom?": "eve", '"': "x"},
        )
        for fold in (False, True):
            if fold:
                store.fold()
            with store.view() as view:
                asked = view.query(
                    'SELECT * EXCLUDE (decision, row, source) FROM facts."shop.Order Total"'
                )
                assert dict(zip(asked[0], asked[1][0], strict=True)) == ODDITIES
                assert view.query('SELECT n FROM facts."shop.order total_"')[1] == [(2,)]
                assert view.query('SELECT "userId", userid_, row_, decision_ FROM facts.customer')[
                    1
                ] == [("U", 1, 7, "d")]
                assert view.query("SELECT arguments->>'to whom?' FROM decisions")[1] == [("bob",)]
                found = view.query(
                    "SELECT field, value FROM facts WHERE fact = 'shop.Order Total'"
                )[1]
                assert dict(found) == {name: str(value) for name, value in ODDITIES.items()}
                for name, value in ODDITIES.items():
                    for wanted, count in ((str(value), 1), ("other", 0)):
                        chosen = Filter(fact=("Order Total", name, wanted))
                        assert view.count(chosen) == count, name
                finding = view.query(audit("executed_otherwise").sql, {"since": "1970-01-01"})[1][
                    0
                ][-1]
                assert finding == '": (none) decided, x called; to whom?: bob decided, eve called'


def test_views_of_facts_are_those_of_what_is_recorded(store: TraceStore) -> None:
    """When another module declares a fact of the same name, no view is left that shows one of the two as if it were all."""
    store.fold()
    with loads(
        'module other fact customer { id: String } action go rule all: allow go if customer.id != "x"'
    ) as policy:
        store.record(policy.case({"action": "go", "facts": {"customer": {"id": "c"}}}))
    store.fold()
    store.close()
    with duckdb.connect(str(store.path), read_only=True) as database:
        names = database.execute(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = 'facts'"
        ).fetchall()
    assert {"refunds.customer", "other.customer"} <= {name for (name,) in names}
    assert ("customer",) not in names


def test_a_field_that_nobody_declares_is_told(store: TraceStore) -> None:
    """Who asks for decisions on a field that is not there is told so, and is not shown an empty list."""
    with (
        store.view() as view,
        pytest.raises(TraceQueryError, match=r"no recorded program has a field `customer\.nme`"),
    ):
        list(view.records(Filter(fact=("customer", "nme", "ann"))))


def test_views_of_a_file_are_made_again_where_they_are_not_ours(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folding makes views that were changed or dropped anew, and leaves those that are right as they are."""
    change = (
        "CREATE OR REPLACE VIEW main.decisions AS SELECT * FROM base.decisions WHERE agent <> 'bot'"
    )
    store.fold()
    for sql in (change, "DROP VIEW base.columns", "DROP VIEW facts.customer"):
        with duckdb.connect(str(store.path)) as database:
            database.execute(sql)
        store.fold()
        with duckdb.connect(str(store.path), read_only=True) as database:
            assert database.execute("SELECT agent FROM decisions").fetchall() == [("bot",)]
            assert database.execute("SELECT tier FROM facts.customer").fetchall() == [("pro",)]
    # Nothing of what they are is called a second time.
    monkeypatch.setattr("policylang.trace.views.create_views", None)
    store.fold()
