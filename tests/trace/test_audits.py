"""Named audits, each on a store whose content is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from policylang.bundle.loading import loads
from policylang.cli.app import policylang
from policylang.trace.audit import audit, audit_names
from policylang.trace.store import TraceStore
from policylang.trace.writer import TraceUnavailableError

POLICY = """
module shop version "1.0.0"
fact customer { id: String, flagged: Bool }
action refund { amount: Decimal(2) }
action mail { text: String }
rule small: allow refund if refund.amount <= 100.00
rule large: require approval(by: "manager") for refund if refund.amount > 100.00 and refund.amount < 9000.00
rule review: deny refund if customer.flagged
rule vip: allow refund if customer.id == "vip" overrides review
rule write: allow mail
rule shout: deny mail if mail.text == "HELP"
never pay_flagged: allow refund if customer.flagged and customer.id == "vip" and refund.amount > 50.00
"""


def refund(amount: str, customer: str = "c1", flagged: bool = False) -> dict[str, Any]:
    """A request for a refund."""
    facts = {"customer": {"id": customer, "flagged": flagged}}
    return {
        "action": "refund",
        "now": "2026-11-20T09:00:00Z",
        "args": {"amount": amount},
        "facts": facts,
    }


class Known:
    """A store of decisions, each with a name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = TraceStore.open(path)
        self.ids: dict[str, str] = {}

    def decide(
        self,
        name: str,
        given: dict[str, Any],
        agent: str = "bot",
        version: str = "1.0.0",
        stage: str = "active",
    ) -> None:
        """Decide and record, under a name."""
        with loads(POLICY.replace("1.0.0", version)) as bundle:
            self.ids[name] = self.store.record(bundle.case(given), agent=agent, stage=stage)

    def ask(self, name: str, **params: str) -> list[tuple[Any, ...]]:
        """The rows of an audit."""
        found = audit(name)
        assert params.keys() <= found.params.keys()
        with self.store.view() as view:
            rows = view.query(found.sql, {**found.params, **params} or None)[1]
        named = {id_: name for name, id_ in self.ids.items()}
        return [tuple(named.get(v, v) if isinstance(v, str) else v for v in row) for row in rows]


@pytest.fixture
def known(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Known]:
    """A store of seven decisions by two versions, and one of a shadow."""
    made = Known(tmp_path / "traces.duckdb")
    made.decide("small", refund("20.00"))
    made.decide("big", refund("100.00", "c2"))
    made.decide("asks", refund("5000.00", "c3"))
    made.decide("flagged", refund("30.00", "c4", True), version="1.1.0")
    made.decide("vip", refund("40.00", "vip", True), version="1.1.0")
    made.decide("forbidden", refund("60.00", "vip", True), version="1.1.0")
    made.decide(
        "nothing", {**refund("9500.00"), "facts": {"customer": {"id": "c5", "flagged": False}}}
    )
    made.decide("shadow", refund("90.00", "c9"), version="2.0.0", stage="shadow")
    yield made
    made.store.close()


def columns(rows: list[tuple[Any, ...]], *positions: int) -> list[tuple[Any, ...]]:
    """Some columns of rows."""
    return [tuple(row[i] for i in positions) for row in rows]


def test_allowed_above(known: Known) -> None:
    """What was allowed above a threshold is listed with the value, the greatest first, without shadows."""
    found = known.ask("allowed_above", above="30")
    assert [(row[0], str(row[4])) for row in found] == [("big", "100.000000"), ("vip", "40.000000")]
    assert known.ask("allowed_above", above="30", since="2999-01-01") == []
    assert known.ask("allowed_above", field="nothing", above="0") == []


def test_rules_never_fired(known: Known) -> None:
    """Exactly the rules that fired in no decision of a program are listed, for each program."""
    by_program: dict[str, set[str]] = {}
    for program, rule in known.ask("rules_never_fired"):
        by_program.setdefault(program, set()).add(rule.removeprefix("shop."))
    assert sorted(map(sorted, by_program.values())) == sorted(
        [
            ["pay_flagged", "review", "shout", "vip", "write"],
            ["large", "shout", "write"],
            ["large", "pay_flagged", "review", "shout", "vip", "write"],
        ]
    )


def test_denials_by_reason(known: Known) -> None:
    """Denials are counted by kind of reason, rule and action."""
    found = known.ask("denials_by_reason")
    assert sorted(columns(found, 0, 1, 2, 3), key=str) == [
        ("forbidden", "shop.review", "shop.refund", 1),
        ("invariant_violated", "shop.pay_flagged", "shop.refund", 1),
        ("nothing_allows", None, "shop.refund", 1),
    ]


def test_affected_by_version(known: Known) -> None:
    """Whoever was decided about by a version is named, by the field that is asked for."""
    found = known.ask("affected_by_version", module="shop", version="1.1.0")
    assert columns(found, 0, 1, 5) == [
        ("c4", "flagged", "deny"),
        ("vip", "vip", "allow"),
        ("vip", "forbidden", "deny"),
    ]
    found = known.ask("affected_by_version", module="shop", version="1.1.0", who="refund.amount")
    assert [row[0] for row in found] == ["30.00", "40.00", "60.00"]
    assert known.ask("affected_by_version", module="shop", version="9") == []


def test_overrides_and_invariants(known: Known) -> None:
    """Decisions with an override, and those with a violated invariant, are listed with the rules."""
    assert columns(known.ask("overrides_used"), 0, 6) == [
        ("vip", ["shop.review"]),
        ("forbidden", ["shop.review"]),
    ]
    assert columns(known.ask("invariants_violated"), 0, 5) == [("forbidden", ["shop.pay_flagged"])]


def test_unusual_actions(known: Known) -> None:
    """An action that an agent rarely asks for is listed; that of an agent with few decisions is not."""
    with loads(POLICY) as bundle:
        for _ in range(30):
            known.store.record(bundle.case(refund("1.00")), agent="clerk")
    mail = {"action": "mail", "args": {"text": "hello"}}
    known.decide("odd", mail, agent="clerk")
    known.decide("new", mail, agent="stranger")
    assert columns(known.ask("unusual_actions", percent="5"), 0, 2, 5, 6) == [
        ("odd", "clerk", 1, 31)
    ]
    assert known.ask("unusual_actions", percent="1") == []


def test_gaps(known: Known, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a store that fails open could not record is listed once it can record again."""
    store = TraceStore.open(known.path, on_failure="open")

    def fails(*_: object, **__: object) -> None:
        raise TraceUnavailableError("no space left")

    with monkeypatch.context() as broken, loads(POLICY) as bundle:
        broken.setattr(store._writer, "write", fails)
        lost = store.record(bundle.case(refund("1.00")))
    assert known.ask("gaps") == []
    store.outcome(known.ids["small"], "executed")
    store.close()
    ((_, _, count, decisions),) = known.ask("gaps")
    assert (count, decisions) == (1, [lost])


def approval(known: Known, ticket: str, event: str, **more: Any) -> None:
    """An event of an approval, as the state publishes it."""
    body = {
        "event": event,
        "ticket": ticket,
        "decision": known.ids["asks"],
        "action": "shop.refund",
        "agent": "bot",
    }
    known.store.write("approval", {**body, **more})


def test_approvals(known: Known) -> None:
    """Each approval is one row with its votes, its last event, and what used it; those above a threshold are found."""
    approval(known, "t1", "requested")
    approval(known, "t1", "voted", person="ann", role="manager", granted=True)
    approval(known, "t1", "granted")
    approval(known, "t1", "used", used_by=known.ids["big"])
    approval(known, "t2", "requested", subject="c3")
    approval(known, "t2", "voted", person="bob", role="manager", granted=False)
    approval(known, "t2", "refused")
    one, two = known.ask("approvals")
    assert (one[0], one[5], one[7], one[8], one[9]) == (
        "t1",
        "used",
        ["ann as manager: granted"],
        "asks",
        "big",
    )
    assert (two[0], two[4], two[5], two[7], two[9]) == (
        "t2",
        "c3",
        "refused",
        ["bob as manager: refused"],
        None,
    )
    ((ticket, _, action, agent, value, people, decision, used),) = known.ask("approvals_above")
    assert (ticket, action, agent, str(value), people, decision, used) == (
        "t1",
        "shop.refund",
        "bot",
        "5000.000000",
        ["ann"],
        "asks",
        "big",
    )
    assert known.ask("approvals_above", above="5000") == []


def test_an_event_that_was_written_twice_is_shown_once(known: Known) -> None:
    """What the state publishes again after a kill has its identity, and one row."""
    with known.store.state.transaction() as tx:
        id_ = tx.event(
            "stop", {"event": "stopped", "scope": "refund", "by": "ann", "why": "odd refunds"}
        )
    known.store.publish_events()
    known.store._writer.write(
        "stop", {"event": "stopped", "scope": "refund", "by": "ann", "why": "odd refunds"}, id_
    )
    assert columns(known.ask("stops"), 1, 2, 3, 4) == [("stopped", "refund", "ann", "odd refunds")]


def test_incidents(known: Known) -> None:
    """Differences of evaluators are counted by program, action and evaluators."""
    body = {
        "found_at": "2026-11-20T09:00:00Z",
        "program": "p",
        "action": "shop.refund",
        "facts": {},
    }
    for _ in range(2):
        known.store.write(
            "incident",
            {
                **body,
                "live": {"by": "plan"},
                "again": {"by": "clingo", "failure": {"code": "PL0701"}},
            },
        )
    ((*told, count, _, _),) = known.ask("incidents")
    assert (told, count) == (["p", "shop.refund", "plan", "clingo", "PL0701"], 2)


def test_metrics_by_version(known: Known) -> None:
    """What was reported of decisions adds up by metric, version and stage, `true` as one."""
    for name, metric, value in (
        ("small", "complaint", True), ("big", "complaint", False), ("flagged", "complaint", True),
        ("small", "cost", "12.50"), ("small", "cost", "0.25"),
    ):  # fmt: skip
        known.store.write("metric", {"decision": known.ids[name], "name": metric, "value": value})
    found = [(*row[:6], str(row[6])) for row in known.ask("metrics_by_version")]
    assert found == [
        ("complaint", "shop", "1.0.0", "active", 2, 2, "1.000000"),
        ("complaint", "shop", "1.1.0", "active", 1, 1, "1.000000"),
        ("cost", "shop", "1.0.0", "active", 1, 2, "12.750000"),
    ]
    assert known.ask("metrics_by_version", since="2999-01-01") == []


def test_every_audit_runs_from_the_command_line(known: Known) -> None:
    """Each audit answers with its defaults in one of the forms, says what it asks, and is documented."""
    page = Path(__file__).parents[2].joinpath("docs/reference/audits.md").read_text("utf-8")
    for name, form in zip(audit_names(), cycle([["--json"], ["--csv"], []]), strict=False):
        asked = ["audit", "run", name, "--store", str(known.path), *form]
        answer = CliRunner().invoke(policylang, asked)
        assert answer.exit_code == 0, name
        assert form != ["--json"] or isinstance(json.loads(answer.stdout), list)
        assert audit(name).title.endswith("."), name
        assert f"`{name}`" in page, name
        assert all(f"`{param}`" in page for param in audit(name).params), name
