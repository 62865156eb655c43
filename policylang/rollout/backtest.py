"""Backtests: a draft decides recorded requests, and is compared with what was decided then.

The replay of recorded decisions does the work, over several processes where asked; what it finds is counted as the comparisons
of a shadow are. A backtest is noted in the state of the store, so that a rollout can ask for one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from policylang.bundle.bundle import Bundle
from policylang.facts.rejection import RejectionKind
from policylang.rollout.compared import TOLD, Comparison, Judged, Role
from policylang.rollout.figures import MOST_EXAMPLES, Figures, Kind
from policylang.rollout.observing import Observed
from policylang.rollout.publishing import modules_in
from policylang.rollout.report import Report, Why
from policylang.rollout.versions import Version
from policylang.trace.replay import Replayed, Verdict
from policylang.trace.runs import ReplayRun
from policylang.trace.state import Reading, tables
from policylang.trace.store import TraceStore

BACKTEST: Final = "backtest"
"""The kind of the records that say that a backtest was made."""

tables(
    "backtests",
    """CREATE TABLE backtests (
        position INTEGER PRIMARY KEY AUTOINCREMENT, module TEXT NOT NULL, effect TEXT NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE INDEX backtests_of ON backtests (module, effect)",
)


@dataclass(slots=True)
class Backtest:
    """What a backtest found: figures of what was decided again, why the rest was not, and the time it spans."""

    figures: Figures = field(default_factory=Figures)
    skipped: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    first: str = ""
    last: str = ""

    def add(self, one: Replayed) -> None:
        """Count one decision."""
        if one.verdict is Verdict.REFUSED:
            self.refused += 1
        elif one.verdict is Verdict.NOT_REPLAYABLE or one.now is None:
            self.skipped[one.problem] += 1
        else:
            at = time_of(one.id)
            self.figures.add(at, comparison_of(one))
            self.first = min(self.first or at, at)
            self.last = max(self.last, at)

    @property
    def span(self) -> dt.timedelta:
        """The time from the first to the last decision that was made again."""
        if not self.first:
            return dt.timedelta(0)
        return dt.datetime.fromisoformat(self.last) - dt.datetime.fromisoformat(self.first)


def backtest(
    run: ReplayRun,
    told: Callable[[], None] = lambda: None,
    most_examples: int = MOST_EXAMPLES,
) -> Backtest:
    """Decide what a run chooses, by its candidate, and count what came of it; `told` is called for each decision.

    Of a run that goes on from a journal, decisions that came out alike in its earlier part count as the same in everything.
    Raises `TraceQueryError` for a condition that is none, `WorkersLost` where the processes die.
    """
    found = Backtest(Figures(most_examples=most_examples))
    found.figures.kinds[Kind.SAME] += run.report.verdicts[Verdict.SAME.value]
    found.refused += run.report.verdicts[Verdict.REFUSED.value]
    for one in run.earlier():
        found.add(one)
    for one in run:
        found.add(one)
        told()
    found.figures.kinds += Counter()  # a kind of which there is none is not there
    return found


def report_on_backtest(found: Backtest, name: str, why: Why) -> Report:
    """The report of a backtest of what `name` stands for."""
    skipped = dict(found.skipped)
    if found.refused:
        skipped["refused before any rule"] = found.refused
    return Report(
        name=name,
        stage=Role.BACKTEST.value,
        since=found.first,
        until=found.last,
        figures=found.figures,
        why=why,
        skipped=skipped,
    )


def comparison_of(one: Replayed) -> Comparison:
    """A decision that was made again, as the comparison of a candidate with live."""
    assert one.now is not None
    then, now = one.recorded["decision"], one.now["decision"]
    live = _judged(then, _failed(then), one.recorded.get("microseconds"))
    error = "" if live.error else _failed(now) or _asks_otherwise(then, now)
    return Comparison(
        decision=one.id,
        action=one.action,
        agent=one.agent,
        module="",
        version="",
        rollout="",
        role=Role.BACKTEST,
        live=live,
        candidate=_judged(now, error, None),
    )


def _judged(decision: Mapping[str, Any], error: str, microseconds: int | None) -> Judged:
    return Judged(
        program=decision["program"]["digest"],
        outcome=decision["outcome"],
        determining=tuple(decision.get("determining", ())),
        reasons=tuple(reason["message"] for reason in decision.get("reasons", ())),
        told={name: decision[name] for name in TOLD if name in decision},
        microseconds=microseconds,
        error=error,
    )


def _failed(decision: Mapping[str, Any]) -> str:
    """What failed in the evaluation, as comparisons tell it."""
    error = decision.get("error")
    if error is None:
        return ""
    return (
        f"{error['code']} in the rule {error['rule']}" if error.get("rule") else str(error["code"])
    )


def _asks_otherwise(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """That a draft asks for facts that nobody sends, or does not know the action, is its fault; that its types refuse
    a request is an answer."""
    rejection = now.get("rejection")
    if rejection is None or "rejection" in then:
        return ""
    kind = str(rejection["kind"])
    return "" if kind == RejectionKind.INVALID_FACTS.value else kind


def time_of(id_: str) -> str:
    """The time that an identity begins with (RFC 9562, version 7).

    >>> time_of("01a204ca-a897-7000-a2d2-947cfaa7171f")
    '2026-11-22T19:45:20.023Z'
    """
    milliseconds = int(id_.replace("-", "")[:12], 16)
    moment = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- noted in the state ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noted:
    """A backtest as the state of a store keeps it: its counts and its span, without any decision."""

    at: str
    by: str
    kinds: Mapping[str, int]
    first: str
    last: str
    skipped: int

    @classmethod
    def of(cls, found: Backtest, at: str, by: str) -> Self:
        """What is kept of a backtest."""
        kinds = {kind.value: count for kind, count in found.figures.kinds.items()}
        return cls(at, by, kinds, found.first, found.last, found.skipped.total())

    def to_json(self) -> dict[str, Any]:
        """The form of records."""
        return {
            "at": self.at,
            "by": self.by,
            "kinds": dict(self.kinds),
            "first": self.first,
            "last": self.last,
            "skipped": self.skipped,
        }

    def observed(self) -> Observed:
        """What criteria of `draft` are checked against; its age is the time that it spans."""
        kinds = Counter({Kind(name): count for name, count in self.kinds.items()})
        spanned = Backtest(first=self.first, last=self.last).span
        return Observed(Figures(kinds=kinds), spanned)


def note(store: TraceStore, bundle: Bundle, found: Backtest, by: str) -> None:
    """Note a backtest of a bundle for each of its modules, as they would be published, and in the chain.

    Raises `StateUnavailableError`.
    """
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    body = Noted.of(found, at, by).to_json()
    with store.state.transaction() as tx:
        for version in modules_in(bundle):
            tx.execute(
                "INSERT INTO backtests (module, effect, body) VALUES (?, ?, ?)",
                (version.module, version.effect, json.dumps(body, ensure_ascii=False)),
            )
            tx.event(BACKTEST, {"module": version.module, "version": version.version, **body})


def last_backtest(reading: Reading, version: Version) -> Noted | None:
    """The last backtest of what decides as a version does, or None."""
    query = """SELECT body FROM backtests WHERE module = ? AND effect = ?
        ORDER BY position DESC LIMIT 1"""
    rows: Iterable[Any] = reading.execute(query, (version.module, version.effect))
    return next((Noted(**json.loads(body)) for (body,) in rows), None)
