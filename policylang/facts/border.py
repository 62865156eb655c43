"""The border: a request as a caller gives it -> the `FactSet` that rules see, or a `Rejection`.

Everything that depends on the policy alone is compiled once: pydantic validators of every relation,
names that a request may use, what each action needs. `Border.validate` then makes one pass over a request: the
short way (`express`) where nothing is out of the ordinary, else the whole one (`passage`), which tells why.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol, TypeAlias

from policylang.facts import codes
from policylang.facts.describe import shown
from policylang.facts.diagnose import did_you_mean, safe
from policylang.facts.express import Express
from policylang.facts.factset import FactSet
from policylang.facts.forms import Unfit
from policylang.facts.history import CallsMade, counting
from policylang.facts.json_text import read_json
from policylang.facts.objects import as_fields
from policylang.facts.passage import Passage
from policylang.facts.plans import ActionPlan, Surroundings
from policylang.facts.reference import ReferenceData
from policylang.facts.rejection import (
    Rejection,
    RejectionKind,
    not_a_request,
    problem,
)
from policylang.facts.schema import Schema


def utc_now() -> dt.datetime:
    """The clock's reading, for requests that leave `now` out."""
    return dt.datetime.now(dt.UTC)


Prepared: TypeAlias = "tuple[ActionPlan, Express | None]"
"""What is compiled for one action: its plan, and its short way where it has one."""


class Actions(Protocol):
    """The actions of a program, by the names they go by."""

    def prepared(self, asked: str) -> Prepared | None:
        """What is compiled for the action of that name; None where it means no one action."""
        ...

    def meant(self, asked: str) -> tuple[str, ...]:
        """The actions that a name may mean."""
        ...

    def names(self) -> tuple[str, ...]:
        """Every name that an action goes by."""
        ...


class Border:
    """The compiled border of one program. Thread-safe; made by `compile_border`."""

    __slots__ = ("_actions", "_around")

    def __init__(self, around: Surroundings, actions: Actions) -> None:
        self._around = around
        self._actions = actions

    @property
    def schema(self) -> Schema:
        """The schema this was compiled from."""
        return self._around.schema

    @property
    def reference(self) -> ReferenceData:
        """The reference data that references are checked against."""
        return self._around.reference

    def with_reference(self, reference: ReferenceData) -> Border:
        """The same border over refreshed reference data, of the same relations."""
        old = self._around
        around = Surroundings(old.schema, reference, reference.digests, old.approval, old.clock)
        return Border(around, self._actions)

    def validate(self, request: object) -> FactSet | Rejection:
        """The facts of a request, or everything that is wrong with it.

        `request` is JSON text (str or bytes), the mapping it stands for, or a model or dataclass with its fields,
        in the form of a request. Nothing that is in it raises, and the time is linear in its size.
        """
        if type(request) is not dict:
            opened = _opened(request)
            if isinstance(opened, Rejection):
                return opened
            request = opened
        asked = request.get("action")
        prepared = self._actions.prepared(asked) if type(asked) is str else None
        if prepared is None:
            return self._no_such_action(request)
        plan, express = prepared
        calls = request.get("history")
        if calls is not None and isinstance(calls, CallsMade):
            # What is looked up by what the request says comes once that is read.
            request = {name: given for name, given in request.items() if name != "history"}
        else:
            calls = None
        facts = express.validate(request, self._around) if express is not None else None
        read = Passage(self._around, plan, request).outcome() if facts is None else facts
        if calls is None or not plan.histories or isinstance(read, Rejection):
            return read
        return counting(read, plan.histories, calls)

    def _no_such_action(self, request: dict[Any, Any]) -> Rejection:
        asked = request.get("action")
        if not isinstance(asked, str):
            received = shown(asked) if "action" in request else "nothing"
            expected = "the name of an action"
            found = problem(
                codes.BAD_SHAPE, "action", "/action", received=received, expected=expected
            )
            return Rejection(RejectionKind.BAD_REQUEST, "", (found,))
        several = self._actions.meant(asked)
        if len(several) > 1:
            detail = ", ".join(several)
            hint = "write " + " or ".join(f"`{name}`" for name in several)
            found = problem(codes.AMBIGUOUS_NAME, "action", "/action", detail=detail, hint=hint)
        else:
            near = did_you_mean(asked, self._actions.names())
            found = problem(
                codes.UNKNOWN_ACTION, "action", "/action", received=shown(asked), hint=near
            )
        return Rejection(RejectionKind.UNKNOWN_ACTION, safe(asked), (found,))


def _opened(request: object) -> dict[Any, Any] | Rejection:
    """The keys of a request that is given as text or as an object of some kind."""
    opened = request
    if isinstance(request, str | bytes | bytearray | memoryview):
        try:
            opened = read_json(request)
        except Unfit as unfit:
            return not_a_request(unfit.code, unfit.detail)
    found = as_fields(opened)
    if not isinstance(found, dict):
        return not_a_request(codes.BAD_SHAPE, "", received=shown(opened))
    return found
