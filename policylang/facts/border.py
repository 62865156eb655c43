"""The border: a request as a caller gives it -> the `FactSet` that rules see, or a `Rejection`.

Everything that depends on the policy alone is compiled once: pydantic validators of every relation,
names that a request may use, what each action needs. `Border.validate` then makes one pass over a request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policylang.facts import codes, forms
from policylang.facts.describe import field_words, shown
from policylang.facts.diagnose import dangling, did_you_mean, escaped, not_an_object, safe
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import Unfit
from policylang.facts.history import HistoryReader
from policylang.facts.json_text import read_json
from policylang.facts.objects import as_fields
from policylang.facts.reference import ReferenceData
from policylang.facts.refs import Reference
from policylang.facts.rejection import (
    NeededFact,
    Problem,
    Rejection,
    RejectionKind,
    not_a_request,
    problem,
)
from policylang.facts.rows import Findings, RelationReader, Values
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema, Source
from policylang.facts.unfold import Unfolding
from policylang.facts.values import Missing, Value

Clock = Callable[[], dt.datetime]

REQUEST_KEYS: Final = frozenset(
    {"action", "args", "agent", "facts", "now", "decisions", "history", "approvals"}
)
_SOURCES: Final[Mapping[object, Source]] = {source.word: source for source in Source}
_NOTHING: Final[Mapping[str, Any]] = {}
_NO_ROWS: Final[tuple[Row, ...]] = ()


def utc_now() -> dt.datetime:
    """The clock's reading, for requests that leave `now` out."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class FactEntry:
    """What a request may give under one name: a fact, with all that is compiled for it."""

    relation: Relation
    reader: RelationReader
    unfolding: Unfolding
    references: tuple[Reference, ...]
    many: bool
    default_source: Source


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """All that is compiled for the requests of one action.

    `facts` holds the entries by every name they go by; `ambiguous` the names that several go by.
    """

    action: FactEntry
    facts: Mapping[str, FactEntry]
    ambiguous: Mapping[str, tuple[str, ...]]
    needed: tuple[Relation, ...]
    groups: tuple[tuple[str, tuple[int, ...], Unfolding], ...]
    histories: tuple[HistoryReader, ...]
    referring: tuple[FactEntry, ...]


class Border:
    """The compiled border of one program. Thread-safe; made by `compile_border`."""

    def __init__(
        self,
        schema: Schema,
        reference: ReferenceData,
        plans: Mapping[str, ActionPlan],
        names: Mapping[str, tuple[str, ...]],
        approval: RelationReader | None,
        clock: Clock,
    ) -> None:
        self._schema = schema
        self._reference = reference
        self._digests = dict(reference.digests)
        self._plans = plans
        self._names = names
        self._approval = approval
        self._clock = clock

    @property
    def schema(self) -> Schema:
        """The schema this was compiled from."""
        return self._schema

    @property
    def reference(self) -> ReferenceData:
        """The reference data that references are checked against."""
        return self._reference

    def with_reference(self, reference: ReferenceData) -> Border:
        """The same border over other reference data; which relations are held does not change."""
        return Border(
            self._schema, reference, self._plans, self._names, self._approval, self._clock
        )

    def validate(self, request: object) -> FactSet | Rejection:
        """The facts of a request, or everything that is wrong with it.

        `request` is JSON text (str or bytes) or the mapping it stands for, in the form of a request. Nothing that
        is in it raises, and the time is linear in its size.
        """
        if isinstance(request, str | bytes | bytearray | memoryview):
            try:
                request = read_json(request)
            except Unfit as unfit:
                return not_a_request(unfit.code, unfit.detail)
        if type(request) is not dict:
            if not isinstance(request, Mapping):
                return not_a_request(codes.BAD_SHAPE, "", received=shown(request))
            request = dict(request)
        plan = self._plan(request)
        return plan if isinstance(plan, Rejection) else _Pass(self, plan, request).outcome()

    def _plan(self, request: dict[Any, Any]) -> ActionPlan | Rejection:
        asked = request.get("action")
        if type(asked) is str:
            plan = self._plans.get(asked)
            return plan if plan is not None else self._unknown_action(asked)
        received = shown(asked) if "action" in request else "nothing"
        found = problem(
            codes.BAD_SHAPE,
            "action",
            "/action",
            received=received,
            expected="the name of an action",
        )
        return Rejection(RejectionKind.BAD_REQUEST, "", (found,))

    def _unknown_action(self, asked: str) -> Rejection:
        several = self._names.get(asked, ())
        if len(several) > 1:
            hint = "write " + " or ".join(f"`{name}`" for name in several)
            found = problem(
                codes.AMBIGUOUS_NAME, "action", "/action", detail=", ".join(several), hint=hint
            )
        else:
            hint_or_none = did_you_mean(asked, list(self._plans))
            found = problem(
                codes.UNKNOWN_ACTION, "action", "/action", received=shown(asked), hint=hint_or_none
            )
        return Rejection(RejectionKind.UNKNOWN_ACTION, safe(asked), (found,))


class _Pass:
    """One request on its way through the border."""

    __slots__ = ("_border", "_found", "_plan", "_request", "_rows")

    def __init__(self, border: Border, plan: ActionPlan, request: dict[Any, Any]) -> None:
        self._border = border
        self._plan = plan
        self._request = request
        self._found = Findings()
        self._rows: dict[str, tuple[Row, ...]] = {}

    def outcome(self) -> FactSet | Rejection:
        plan, request = self._plan, self._request
        if not REQUEST_KEYS.issuperset(request):
            self._refuse_keys()
        now = self._now()
        self._action()
        self._facts()
        if "approvals" in request:
            self._approvals(request["approvals"])
        if plan.histories:
            self._histories(request.get("history"))
        asked = self._decisions(request["decisions"]) if "decisions" in request else ()
        needs = [r for r in plan.needed if r.name not in self._rows]
        found = self._found
        if needs or found.problems:
            return self._rejection(needs)
        if plan.referring:
            self._check_references()
            if found.problems:
                return self._rejection(())
        return FactSet(
            plan.action.relation.name,
            now,
            self._rows,
            self._border._digests,
            tuple(found.changes),
            tuple(found.defaults),
            asked,
        )

    # --- the parts of a request ---

    def _refuse_keys(self) -> None:
        for key in self._request:
            if key not in REQUEST_KEYS:
                name = safe(key)
                hint = did_you_mean(key, sorted(REQUEST_KEYS))
                if key in self._plan.facts:
                    hint = f'put it under `facts`: {{"facts": {{"{name}": ...}}}}'
                self._found.refuse(
                    problem(codes.UNKNOWN_FIELD, name, f"/{escaped(name)}", hint=hint)
                )

    def _now(self) -> dt.datetime:
        given = self._request.get("now")
        try:
            now = self._border._clock() if given is None else forms.read_datetime(given)
        except Unfit as unfit:
            self._found.refuse(
                problem(
                    unfit.code,
                    "now",
                    "/now",
                    received=shown(given),
                    expected="DateTime",
                    detail=unfit.detail,
                    hint=unfit.hint,
                )
            )
            return _EPOCH
        self._rows["now"] = (Row(0, (now,), Source.SYSTEM),)
        return now

    def _action(self) -> None:
        plan = self._plan
        entry = plan.action
        self._one(entry, self._request.get("args", _NOTHING), "/args")
        rows = self._rows.get(entry.relation.name)
        if rows is None:
            # What is wrong with the arguments has been told.
            return
        row = rows[0]
        for name, positions, unfolding in plan.groups:
            values = tuple([row.values[i] for i in positions])
            of_group = (Row(0, values, row.source),)
            self._rows[name] = of_group
            if unfolding:
                unfolding(of_group, self._rows)

    def _facts(self) -> None:
        request = self._request
        facts = request.get("facts", _NOTHING)
        agent = request.get("agent")
        if agent is not None:
            self._fact("agent", agent, "/agent")
        if type(facts) is dict or isinstance(facts, Mapping):
            for name, given in facts.items():
                self._fact(name, given, "/facts/")
        else:
            self._found.refuse(not_an_object(facts, "facts", "/facts"))

    def _fact(self, name: Any, given: Any, pointer: str) -> None:
        try:
            entry = self._plan.facts.get(name)
        except TypeError:
            entry = None
        if pointer == "/facts/":
            pointer = f"/facts/{escaped(safe(name))}"
        if entry is None:
            self._unknown_fact(name, pointer)
        elif entry.relation.name in self._border._reference.relations:
            self._found.refuse(problem(codes.REFERENCE_IN_REQUEST, safe(name), pointer))
        elif entry.relation.name in self._rows:
            self._found.refuse(problem(codes.GIVEN_TWICE, safe(name), pointer))
        elif entry.many:
            self._many(entry, given, pointer)
        elif given is not None:
            self._one(entry, given, pointer)

    def _unknown_fact(self, name: Any, pointer: str) -> None:
        several = self._plan.ambiguous.get(name, ()) if isinstance(name, str) else ()
        if several:
            hint = "write " + " or ".join(f"`{n}`" for n in several)
            found = problem(
                codes.AMBIGUOUS_NAME, safe(name), pointer, detail=", ".join(several), hint=hint
            )
        else:
            hint = did_you_mean(name, list(self._plan.facts)) or ""
            if pointer == "/agent":
                hint = "declare `fact agent { ... }`, or leave it out"
            found = problem(codes.UNKNOWN_FACT, safe(name), pointer, hint=hint or None)
        self._found.refuse(found)

    # --- rows ---

    def _one(self, entry: FactEntry, given: Any, pointer: str) -> None:
        relation = entry.relation
        path = relation.bare_name
        source = entry.default_source
        if type(given) is dict:
            if len(given) == 2 and "source" in given and _is_row(given.get("value")):
                source = self._source(given["source"], path, pointer)
                given = given["value"]
                pointer += "/value"
        elif type(given) is list and not entry.many:
            if len(given) != 1 or relation.kind is RelationKind.ACTION:
                self._wrong_count(entry, given, path, pointer)
                return
            given = given[0]
            pointer += "/0"
        values = entry.reader.one(as_fields(given), 0, path, pointer, self._found)
        if source < relation.minimum_source:
            self._lesser(relation, source, path, pointer)
        if values is not None:
            rows = (Row(0, values, source),)
            self._rows[relation.name] = rows
            if entry.unfolding:
                entry.unfolding(rows, self._rows)

    def _wrong_count(self, entry: FactEntry, given: list[Any], path: str, pointer: str) -> None:
        if entry.relation.kind is RelationKind.ACTION:
            self._found.refuse(not_an_object(given, path, pointer))
        elif given:
            received = f"{len(given)} rows"
            self._found.refuse(problem(codes.TOO_MANY_ROWS, path, pointer, received=received))

    def _many(self, entry: FactEntry, given: Any, pointer: str) -> None:
        relation = entry.relation
        path = relation.bare_name
        if given is None:
            given = []
        if isinstance(given, tuple):
            given = list(given)
        if type(given) is not list:
            found = not_an_object(given, path, pointer)
            expected = problem(
                codes.BAD_SHAPE, path, pointer, received=found.received, expected="a list of rows"
            )
            self._found.refuse(expected)
            return
        sources: list[Source] | None = None
        if any(_is_wrapped(row) for row in given):
            sources, given = self._unwrapped(entry, given, path, pointer)
        elif not all(type(row) is dict for row in given):
            given = [as_fields(row) for row in given]
        if entry.default_source < relation.minimum_source:
            self._lesser(relation, entry.default_source, path, pointer)
        values = entry.reader.many(given, path, pointer, self._found)
        if values is None:
            return
        rows = self._numbered(entry, values, sources)
        self._check_keys(relation, rows, path, pointer)
        self._rows[relation.name] = rows
        if entry.unfolding:
            entry.unfolding(rows, self._rows)

    def _numbered(
        self, entry: FactEntry, values: Iterable[Values], sources: list[Source] | None
    ) -> tuple[Row, ...]:
        if sources is None:
            source = entry.default_source
            return tuple([Row(i, row, source) for i, row in enumerate(values)])
        return tuple([Row(i, row, sources[i]) for i, row in enumerate(values)])

    def _unwrapped(
        self, entry: FactEntry, given: list[Any], path: str, pointer: str
    ) -> tuple[list[Source], list[Any]]:
        sources, rows = [], []
        for i, row in enumerate(given):
            source = entry.default_source
            if _is_wrapped(row):
                at, place = f"{path}[{i}]", f"{pointer}/{i}"
                source = self._source(row["source"], at, place)
                if source < entry.relation.minimum_source:
                    self._lesser(entry.relation, source, at, place)
                row = row["value"]
            sources.append(source)
            rows.append(as_fields(row))
        return sources, rows

    def _source(self, word: Any, path: str, pointer: str) -> Source:
        source = _SOURCES.get(word) if isinstance(word, str) else None
        if source is None:
            expected = "one of " + ", ".join(str(known) for known in _SOURCES)
            self._found.refuse(
                problem(
                    codes.UNKNOWN_MEMBER,
                    path,
                    f"{pointer}/source",
                    received=shown(word),
                    expected=expected,
                )
            )
            return Source.SYSTEM
        return source

    def _lesser(self, relation: Relation, source: Source, path: str, pointer: str) -> None:
        declared = relation.minimum_source.word
        self._found.refuse(
            problem(
                codes.LESSER_SOURCE,
                path,
                pointer,
                received=source.word,
                expected=f"`from {declared}`",
            )
        )

    def _check_keys(
        self, relation: Relation, rows: tuple[Row, ...], path: str, pointer: str
    ) -> None:
        key = relation.key
        if key is None or len(rows) < 2:
            return
        column = relation.columns[key]
        seen: set[Value | Missing] = set()
        for row in rows:
            value = row.values[key]
            if value in seen:
                received = "this (secret)" if column.secret else shown(value)
                place = f"{pointer}/{row.id}/{escaped(column.name)}"
                at = f"{path}[{row.id}].{column.name}"
                self._found.refuse(problem(codes.DUPLICATE_KEY, at, place, received=received))
            seen.add(value)

    # --- what stands beside the facts ---

    def _approvals(self, given: Any) -> None:
        reader = self._border._approval
        if reader is None or given is None:
            return
        if isinstance(given, tuple):
            given = list(given)
        values = reader.many(given, "approvals", "/approvals", self._found)
        if values:
            rows = tuple(Row(i, row, Source.SYSTEM) for i, row in enumerate(values))
            self._rows["approval"] = rows

    def _histories(self, given: Any) -> None:
        if given is None:
            given = ()
        if not isinstance(given, list | tuple):
            found = problem(
                codes.BAD_SHAPE,
                "history",
                "/history",
                received=shown(given),
                expected="a list of earlier calls",
            )
            self._found.refuse(found)
            return
        for history in self._plan.histories:
            self._rows[history.relation] = history.rows(given, self._found)

    def _decisions(self, given: Any) -> tuple[str, ...]:
        if not isinstance(given, list | tuple):
            received = shown(given)
            expected = "a list of names of decisions"
            self._found.refuse(
                problem(
                    codes.BAD_SHAPE, "decisions", "/decisions", received=received, expected=expected
                )
            )
            return ()
        declared = self._border._schema.decisions
        asked = []
        for i, name in enumerate(given):
            meant = [d for d in declared if name in (d, d.rpartition(".")[2])]
            if len(meant) == 1:
                asked.append(meant[0])
                continue
            code = codes.AMBIGUOUS_NAME if meant else codes.UNKNOWN_DECISION
            hint = did_you_mean(name, list(declared))
            found = problem(
                code,
                f"decisions[{i}]",
                f"/decisions/{i}",
                received=shown(name),
                detail=", ".join(meant),
                hint=hint,
            )
            self._found.refuse(found)
        return tuple(asked)

    # --- the end ---

    def _check_references(self) -> None:
        keys: dict[str, Collection[Any]] = {}
        for entry in self._plan.referring:
            rows = self._rows.get(entry.relation.name)
            if rows:
                for reference in entry.references:
                    self._check_reference(entry.relation, reference, rows, keys)

    def _check_reference(
        self,
        relation: Relation,
        reference: Reference,
        rows: tuple[Row, ...],
        keys: dict[str, Collection[Any]],
    ) -> None:
        target = reference.target
        if target not in keys:
            keys[target] = self._keys(target)
        known = keys[target]
        place = "/args" if relation.kind is RelationKind.ACTION else f"/facts/{relation.bare_name}"
        single = relation.cardinality is not Cardinality.MANY
        for row in rows:
            for value, at in reference.of(row.values):
                if value in known:
                    continue
                path = relation.bare_name if single else f"{relation.bare_name}[{row.id}]"
                pointer = place if single else f"{place}/{row.id}"
                steps = at.replace("[", ".").replace("]", "").replace(".", "/")
                self._found.refuse(
                    dangling(
                        value,
                        reference.field,
                        target.rpartition(".")[2],
                        f"{path}.{at}",
                        f"{pointer}/{steps}",
                    )
                )

    def _keys(self, target: str) -> Collection[Any]:
        held = self._border._reference.relations.get(target)
        if held is not None:
            return held.keys
        key = self._border._schema.relations[target].key
        rows = self._rows.get(target, _NO_ROWS)
        return () if key is None else {row.values[key] for row in rows}

    def _rejection(self, needs: Iterable[Relation]) -> Rejection:
        found = self._found
        # A fact that was given and is wrong is not one that the request lacks.
        at = {p.path.partition(".")[0].partition("[")[0] for p in found.problems}
        lacking = [r for r in needs if r.bare_name not in at]
        kind = RejectionKind.INVALID_FACTS if found.problems else RejectionKind.NEEDS_FACTS
        problems: list[Problem] = [
            *found.problems,
            *(
                problem(
                    codes.MISSING_FACT,
                    r.bare_name,
                    f"/facts/{r.bare_name}",
                    expected="{" + ", ".join(field_words(c) for c in r.columns) + "}",
                )
                for r in lacking
            ),
        ]
        return Rejection(
            kind,
            self._plan.action.relation.name,
            tuple(problems),
            tuple(NeededFact(r.name, tuple(field_words(c) for c in r.columns)) for r in lacking),
            found.more,
        )


_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict)


def _is_wrapped(row: Any) -> bool:
    return type(row) is dict and len(row) == 2 and "source" in row and _is_row(row.get("value"))
