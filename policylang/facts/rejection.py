"""`Rejection`: a request that reached no rule, with every problem in it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from policylang.diagnostics import Code, visible
from policylang.errors import PolicyError

FORM: Final = 1
"""The version of the JSON form of a rejection."""

MOST_PROBLEMS: Final = 1_000
"""Problems that are listed; the others are counted."""


class RejectionKind(enum.Enum):
    """Why a request reached no rule, told apart by what a caller can do about it."""

    BAD_REQUEST = "bad_request"
    """It is no request at all: not JSON, or not of a request's shape."""
    UNKNOWN_ACTION = "unknown_action"
    """No module declares the action."""
    INVALID_FACTS = "invalid_facts"
    """Something in it is not what the policy declares."""
    NEEDS_FACTS = "needs_facts"
    """What is there is right, and facts are missing: fetch them and ask again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request.

    `path` is how a policy names the place (`refund.amount`, `linked[3].a`, rows counted from 0), `pointer`
    where it stands in the request (RFC 6901). `received` is shortened, and masked for a secret field.
    """

    code: str
    path: str
    pointer: str
    message: str
    received: str | None = None
    expected: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def told(self) -> str:
        """The problem for a language model: what came, what is expected, and how that is written."""
        text = f"{self.message}."
        if self.received and self.expected:
            text = f"got {self.received}. Expected {self.expected}."
        # What its writer can do about the policy is nothing to a model.
        hint = (self.hint or "").partition(", or declare")[0]
        if hint.startswith(("did you mean", "write ")):
            text += f" {hint[0].upper()}{hint[1:]}{'' if hint.endswith('?') else '.'}"
        return f"{self.path or 'request'}: {text}"

    def to_json(self) -> dict[str, Any]:
        """The problem as plain objects; absent things are absent."""
        given = {
            "code": self.code,
            "path": self.path,
            "pointer": self.pointer,
            "message": self.message,
            "received": self.received,
            "expected": self.expected,
            "hint": self.hint,
        }
        return {key: value for key, value in given.items() if value is not None}


def problem(
    code: Code,
    path: str,
    pointer: str,
    *,
    received: str | None = None,
    expected: str | None = None,
    detail: str = "",
    hint: str | None = None,
) -> Problem:
    """The problem of a code, with its message filled in; the code's own hint where there is no other."""
    message = code.message.format(
        received=received or "this", expected=expected or "expected", detail=detail
    )
    return Problem(code.id, path, pointer, message, received, expected, hint or code.hint)


@dataclass(frozen=True, slots=True)
class NeededFact:
    """A fact that the request lacks: its qualified name, and its fields as the policy declares them."""

    name: str
    fields: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fact as plain objects."""
        return {"fact": self.name, "fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class Rejection:
    """The answer to a request that cannot be decided: never empty, and the decision is deny.

    `action` is the qualified name of the asked action, or the name given where none is declared so.
    `more` counts the problems past `MOST_PROBLEMS`.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
    >>> rejection = bundle.decide({"action": "ship", "args": {"pieces": "3 boxes"}}).rejection
    >>> rejection.kind.value, rejection.at("ship.pieces")
    ('invalid_facts', True)
    """

    kind: RejectionKind
    action: str
    problems: tuple[Problem, ...]
    needs: tuple[NeededFact, ...] = ()
    more: int = 0

    def at(self, path: str) -> bool:
        """Whether a problem stands at this path or below it; positions of rows may be left out."""
        return any(_covers(path, problem.path) for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """The rejection as plain objects, in a form with a version."""
        return {
            "form": FORM,
            "kind": self.kind.value,
            "action": self.action,
            "problems": [problem.to_json() for problem in self.problems],
            **({"needs": [need.to_json() for need in self.needs]} if self.needs else {}),
            **({"more": self.more} if self.more else {}),
        }

    def text(self) -> str:
        """The rejection for people: one line a problem, with what may help below it."""
        return "\n".join(map(visible, self._lines()))

    def _lines(self) -> Iterator[str]:
        count = len(self.problems) + self.more
        yield f"{_HEADLINES[self.kind]} ({count} problem{'s' if count > 1 else ''})"
        for problem in self.problems:
            yield f"  {problem} [{problem.code}]"
            if problem.hint:
                yield f"    = hint: {problem.hint}"
        for need in self.needs:
            yield f"  {need.name} is needed: {'; '.join(need.fields)}"
        if self.more:
            yield f"  and {self.more} more"

    def brief(self, most: int = 10) -> str:
        """The rejection for a language model: what to correct, in few words."""
        name = self.action.rpartition(".")[2] or "the call"
        lines = [f"`{name}` was not run: {_BRIEF[self.kind]}"]
        lines += [f"- {problem.told()}" for problem in self.problems[:most]]
        rest = len(self.problems) + self.more - most
        if rest > 0:
            lines.append(f"- and {rest} more")
        return "\n".join(map(visible, lines))


_HEADLINES: Final = {
    RejectionKind.BAD_REQUEST: "this is not a request",
    RejectionKind.UNKNOWN_ACTION: "the action is unknown",
    RejectionKind.INVALID_FACTS: "the request is refused before any rule",
    RejectionKind.NEEDS_FACTS: "the request lacks facts",
}
_BRIEF: Final = {
    RejectionKind.BAD_REQUEST: "the request is malformed.",
    RejectionKind.UNKNOWN_ACTION: "there is no such action. Do not try it again.",
    RejectionKind.INVALID_FACTS: "some values are not valid. Correct them, and do not guess.",
    RejectionKind.NEEDS_FACTS: "facts about the situation are missing. They have to be looked up.",
}


def _covers(asked: str, path: str) -> bool:
    if not asked:
        return True
    if "[" not in asked:
        path = without_positions(path)
    return path == asked or path.startswith((f"{asked}.", f"{asked}["))


def without_positions(path: str) -> str:
    """A path with the positions of rows and elements left out: `linked[3].a` as `linked.a`."""
    parts = path.split("[")
    return parts[0] + "".join(part.partition("]")[2] for part in parts[1:])


class RejectedRequestError(PolicyError):
    """A request was refused at the border, where a caller asked for an exception instead of a value."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.text())
        self.rejection = rejection


def not_a_request(code: Code, detail: str, *, received: str | None = None) -> Rejection:
    """The rejection of what is no request at all."""
    found = problem(code, "", "", received=received, expected="a request", detail=detail)
    return Rejection(RejectionKind.BAD_REQUEST, "", (found,))
