"""What a limit that is new to a store counts of the calls that were made before it: read once from their records."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policylang.decide.json import typed
from policylang.facts.forms import Unfit, read_datetime
from policylang.facts.reading import reader
from policylang.facts.schema import LimitHistory, PathRead
from policylang.facts.types import Field
from policylang.trace.reading import Filter, TraceView
from policylang.trace.segments import segment_paths
from policylang.trace.sql import literal
from policylang.trace.store import TraceStore, segments_of

_log = logging.getLogger("policylang.gate")

_RAN: Final = """
    SELECT DISTINCT decision FROM outcomes
    WHERE status = 'executed' OR (status = 'failed' AND starts_with(detail, 'interrupted'))"""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A call that was made: its decision, when, and what the limit reads of it, in JSON forms."""

    decision: str
    at: dt.datetime
    cells: tuple[Any, ...]


def earlier_calls(
    store: TraceStore, history: LimitHistory, columns: tuple[Field, ...], now: dt.datetime
) -> tuple[Earlier, ...]:
    """The recorded calls that a limit counts at `now`: allowed, and run as far as is known.

    A call that lacks what the limit reads, or whose values were erased, cannot be counted; that is logged. Raises
    `TraceUnavailableError` where the store cannot be read.
    """
    if not _has_records(store):
        return ()
    with store.view() as view:
        ran = {row[0] for row in view.query(_RAN)[1]}
        found = list(_calls(view, ran, history, columns, now))
    missed = found.count(None)
    if missed:
        name = history.relation.removesuffix(".history")
        _log.warning("the new limit %s cannot count %d of the earlier calls", name, missed)
    return tuple(call for call in found if call is not None)


def _has_records(store: TraceStore) -> bool:
    return store.path.exists() or bool(segment_paths(segments_of(store.path)))


def _calls(
    view: TraceView,
    ran: set[str],
    history: LimitHistory,
    columns: tuple[Field, ...],
    now: dt.datetime,
) -> Iterator[Earlier | None]:
    actions = ", ".join(literal(action) for action in history.actions)
    where = f"action IN ({actions})"
    if history.window is not None:
        since = (now - history.window).replace(tzinfo=None)
        where += f" AND requested_at > TIMESTAMP {literal(since.isoformat(sep=' '))}"
    chosen = Filter(kind="decision", outcome="allow", where=where)
    if not history.actions:
        return
    for record in view.records(chosen):
        if record.id in ran:
            yield _call(record.id, record.body, history, columns)


def _call(
    id_: str, body: Mapping[str, Any], history: LimitHistory, columns: tuple[Field, ...]
) -> Earlier | None:
    facts = body["facts"]
    try:
        cells = tuple(
            _cell(facts, read, column) for read, column in zip(history.reads, columns, strict=False)
        )
    except (Unfit, LookupError, TypeError):
        return None
    return Earlier(id_, read_datetime(facts["now"]), cells)


def _cell(facts: Mapping[str, Any], read: PathRead, column: Field) -> Any:
    """A field of the action, of a group that it may have joined since, or of a single fact, in today's form."""
    rows = facts["rows"].get(read.relation) or facts["rows"][facts["action"]]
    value = reader(column.domain)(rows[0]["values"][read.column])
    return typed(value, column.domain.type)
