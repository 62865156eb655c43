"""The views: their columns are the documented ones, here and in the file."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from policylang.trace.documented import DOCUMENTED
from policylang.trace.store import TraceStore
from policylang.trace.views import VIEWS
from tests.trace.deciding import bundle, request

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "audits.md"
VIEWS_OF_PAGE = PAGE.read_text("utf-8").partition("## From the command line")[0]


@pytest.fixture
def store(tmp_path: Path) -> TraceStore:
    """A store of one decision."""
    store = TraceStore.open(tmp_path / "traces.duckdb")
    with bundle() as policy:
        store.record(policy.case(request("12.50", name="ann", card="4111-1111")), agent="bot")
    return store


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_has_the_documented_columns(store: TraceStore, name: str) -> None:
    """A view's columns, in their order, are those that are documented in the program and on the page."""
    with store.view() as view:
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


def test_answers_go_into_arrow(store: TraceStore) -> None:
    """The connection of a view gives Arrow tables, where pyarrow is installed."""
    pytest.importorskip("pyarrow")
    with store.view() as view:
        table = view.database.sql("SELECT action, outcome FROM decisions").to_arrow_table()
    assert table.to_pylist() == [{"action": "refunds.refund", "outcome": "allow"}]
