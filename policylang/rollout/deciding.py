"""`Decider`: what decides live requests, be it one bundle or the rollouts of a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from policylang.bundle.bundle import Bundle, Request
from policylang.bundle.case import Case
from policylang.facts.border import Border
from policylang.semantics.program import Program


class Sliced(NamedTuple):
    """Where a request fell in the rollout of one module. (Made beside every canary: a dataclass takes four times as long.)

    `bucket` is from 0 to 9999, by `salt` and the hash of that version of the algorithm; it is None where the request
    has no key. `inside` says whether the request is in the slice of the canary, `fell_back` why the active version
    decided it all the same.
    """

    module: str
    version: str
    rollout: str
    salt: str
    algorithm: int
    bucket: int | None
    inside: bool
    fell_back: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form of traces; what is not there is left out."""
        bucket = {} if self.bucket is None else {"bucket": self.bucket}
        fell_back = {"fell_back": self.fell_back} if self.fell_back else {}
        return {
            "module": self.module,
            "version": self.version,
            "rollout": self.rollout,
            "salt": self.salt,
            "algorithm": self.algorithm,
            **bucket,
            "inside": self.inside,
            **fell_back,
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """A live request as it was decided: by which stage, and where it fell in every rollout that concerns it.

    `stage` is `canary` where a version in canary decided, and else `active`; `bucket` is that of the rollout
    which decided, or of the only one there is. `case.program` is what decided.
    """

    case: Case
    stage: str = "active"
    bucket: int | None = None
    rollouts: tuple[Sliced, ...] = ()
    pending: object = field(default=None, compare=False, repr=False)
    """What the decider that made this needs to settle it."""


class Decider(Protocol):
    """Decides live requests. Thread-safe."""

    @property
    def program(self) -> Program:
        """The active program: its actions, facts and rules. Another one after a transition."""
        ...

    @property
    def border(self) -> Border:
        """What validates requests for the active program."""
        ...

    def decide(self, request: Request) -> Decided:
        """Decide a request. Never raises for what it contains."""
        ...

    def settle(self, decided: Decided, decision_id: str, agent: str = "") -> None:
        """Take up a decision once it is recorded: for shadows and comparisons. Never waits, never raises."""
        ...

    def close(self) -> None:
        """Give back what is held. Idempotent."""
        ...


class SingleBundle:
    """The decider of one bundle: no rollouts, nothing to settle.

    >>> from policylang import loads
    >>> decider = SingleBundle(loads("module shop action ship rule all: allow ship"))
    >>> decided = decider.decide({"action": "ship"})
    >>> decided.case.decision.outcome.value, decided.stage
    ('allow', 'active')
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    @property
    def bundle(self) -> Bundle:
        """The bundle that decides."""
        return self._bundle

    @property
    def program(self) -> Program:
        """The program of the bundle."""
        return self._bundle.program

    @property
    def border(self) -> Border:
        """The border of the bundle."""
        return self._bundle.border

    def decide(self, request: Request) -> Decided:
        """The bundle's decision. Never raises for what the request contains."""
        return Decided(self._bundle.case(request))

    def settle(self, decided: Decided, decision_id: str, agent: str = "") -> None:
        """Nothing: one bundle has no shadows."""

    def close(self) -> None:
        """Close the bundle."""
        self._bundle.close()
