"""The short way through the border: one compiled validator for the whole request of an action.

It takes the requests in which every fact stands under its plain name and none says where it comes from.
Whatever it does not take, valid or not, goes the whole way; what it takes, it reads as that would.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from policylang.facts.checks import check_references
from policylang.facts.factset import FactSet, Row, new_factset
from policylang.facts.forms import read_datetime
from policylang.facts.plans import ActionPlan, FactEntry, Surroundings
from policylang.facts.rows import Findings, RelationReader
from policylang.facts.schema import Source
from policylang.facts.unfold import Unfolding

_MODEL: Final = Source.MODEL
_SYSTEM: Final = Source.SYSTEM
_NOTHING_NOTED: Final[tuple[tuple[()], tuple[()]]] = ((), ())
_BESIDE: Final = ("decisions", "history", "approvals")


new_row: Final = tuple.__new__
"""Makes a row from its three parts without the cost of a call of `Row`."""

Rows = dict[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One fact of a request, as the short way reads it."""

    name: str
    relation: str
    reader: RelationReader
    is_simple: bool
    unfolding: Unfolding | None
    many: bool
    key: int | None

    def take(self, validated: Any, given: Any, rows: Rows, found: Findings) -> bool:
        """Add the rows of the fact; False where two of them have one key."""
        own: tuple[Row, ...]
        if not self.many:
            values = (
                tuple(validated[0].values())
                if self.is_simple
                else self.reader.finished(validated, given, 0, found)
            )
            own = (new_row(Row, (0, values, _SYSTEM)),)
        else:
            if self.is_simple:
                own = tuple(
                    [
                        new_row(Row, (i, tuple(row[0].values()), _SYSTEM))
                        for i, row in enumerate(validated)
                    ]
                )
            else:
                listed = self.reader.all_finished(validated, given, found)
                own = tuple([new_row(Row, (i, row, _SYSTEM)) for i, row in enumerate(listed)])
            key = self.key
            if key is not None and len(own) > 1 and len({row[1][key] for row in own}) < len(own):
                return False
        rows[self.relation] = own
        if self.unfolding is not None:
            self.unfolding(own, rows)
        return True


class Express:
    """The compiled short way for the requests of one action."""

    __slots__ = (
        "_action",
        "_agent",
        "_facts",
        "_finish",
        "_is_more",
        "_needed",
        "_plan",
        "_unfold_action",
        "_validate",
    )

    def __init__(self, plan: ActionPlan, held: Collection[str]) -> None:
        named = {name: entry for name, entry in plan.facts.items() if _is_plain(name, entry, held)}
        self._plan = plan
        self._action = plan.action.relation.name
        self._agent = _part("agent", named.pop("agent")) if _is_one(named.get("agent")) else None
        self._facts = tuple(_part(name, entry) for name, entry in named.items())
        self._needed = tuple(relation.name for relation in plan.needed)
        self._finish = plan.action.reader.finished
        self._unfold_action = plan.action.unfolding or None
        self._is_more = bool(self._unfold_action or plan.groups or plan.histories or plan.referring)
        self._validate = SchemaValidator(self._schema()).validate_python

    def _schema(self) -> CoreSchema:
        entry = self._plan.action
        facts = _object({part.name: _part_schema(part) for part in self._facts})
        fields = {
            "action": core_schema.any_schema(),
            "args": entry.reader.quick_schema(),
            "facts": facts,
            "now": core_schema.no_info_plain_validator_function(read_datetime),
            **dict.fromkeys(_BESIDE, core_schema.list_schema(max_length=0, strict=True)),
        }
        if self._agent is not None:
            fields["agent"] = self._agent.reader.quick_schema()
        return _object(fields)

    def validate(self, request: dict[Any, Any], around: Surroundings) -> FactSet | None:
        """The facts of a request, or None where it has to go the whole way."""
        try:
            fields = self._validate(request)
        except ValidationError:
            return None
        if "args" not in fields:
            return None
        found = Findings()
        now = fields["now"] if "now" in fields else around.clock()
        values = self._finish(fields["args"], request["args"], 0, found)
        row = new_row(Row, (0, values, _MODEL))
        rows: Rows = {"now": (new_row(Row, (0, (now,), _SYSTEM)),), self._action: (row,)}
        if "agent" in fields and self._agent is not None:
            self._agent.take(fields["agent"], request["agent"], rows, found)
        if "facts" in fields:
            facts, given = fields["facts"], request["facts"]
            for part in self._facts:
                name = part.name
                if name in facts and not part.take(facts[name], given[name], rows, found):
                    return None
        if self._is_more and not self._add_more(row, rows, around, found):
            return None
        for needed in self._needed:
            if needed not in rows:
                return None
        changes, defaults = found.noted() if found.changes or found.defaults else _NOTHING_NOTED
        return new_factset(self._action, now, rows, around.digests, changes, defaults)

    def _add_more(self, row: Row, rows: Rows, around: Surroundings, found: Findings) -> bool:
        """Add what not every action has: lists of its own, groups, limits. False where a reference dangles."""
        if self._unfold_action is not None:
            self._unfold_action((row,), rows)
        for group in self._plan.groups:
            group.add(row, rows)
        for history in self._plan.histories:
            rows[history.relation] = ()
        check_references(self._plan.referring, rows, around, found)
        return not found.problems


def _is_plain(name: str, entry: FactEntry, held: Collection[str]) -> bool:
    return name == entry.relation.bare_name and entry.relation.name not in held


def _is_one(entry: FactEntry | None) -> bool:
    return entry is not None and not entry.many


def _object(fields: dict[str, CoreSchema]) -> CoreSchema:
    """An object with any of these fields: gives those that are there."""
    optional = {
        name: core_schema.typed_dict_field(schema, required=False)
        for name, schema in fields.items()
    }
    return core_schema.typed_dict_schema(optional, extra_behavior="forbid", total=False)


def _part(name: str, entry: FactEntry) -> _Part:
    return _Part(
        name,
        entry.relation.name,
        entry.reader,
        entry.reader.is_simple,
        entry.unfolding or None,
        entry.many,
        entry.relation.key,
    )


def _part_schema(part: _Part) -> CoreSchema:
    row = part.reader.quick_schema()
    return core_schema.list_schema(row, strict=True) if part.many else row
