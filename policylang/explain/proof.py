"""`Proof`: why atoms hold and rules fired, as a table of steps in which each stands on earlier ones.

A table and not a tree: what two steps stand on is there once, and a proof ten thousand steps high is as plain as
one of three. That a step only names earlier ones makes a proof acyclic by its form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policylang.evaluate.model import Given
from policylang.facts.factset import Row
from policylang.facts.values import Value


@dataclass(frozen=True, slots=True)
class GivenStep:
    """A row that holds because it was given; it has height 0."""

    relation: str
    row: Row
    given: Given

    @property
    def height(self) -> int:
        """The height of what stands on nothing."""
        return 0


@dataclass(frozen=True, slots=True)
class Uses:
    """How a match holds: by the row or atom of an earlier step."""

    step: int


@dataclass(frozen=True, slots=True)
class Computed:
    """How a calculation, a comparison or an element of a list holds: by the values of the instance."""


@dataclass(frozen=True, slots=True)
class Absent:
    """How a negation holds: no instance of its body does. `why_absent` says why, on demand."""


@dataclass(frozen=True, slots=True)
class Takes:
    """How an `or` holds: by one of its branches (from 0)."""

    branch: int
    instance: Instance


@dataclass(frozen=True, slots=True)
class Ranges:
    """How an aggregate has its value: by these distinct matches of its body, all there are."""

    matches: tuple[Instance, ...]


Premise: TypeAlias = Uses | Computed | Absent | Takes | Ranges


@dataclass(frozen=True, slots=True)
class Instance:
    """A body that holds: the values of its variables by name, and one premise for each literal, in order.

    Of a nested body `values` are those that the body around it does not have.
    """

    values: Mapping[str, Value]
    premises: tuple[Premise, ...]


@dataclass(frozen=True, slots=True)
class RuleStep:
    """A rule whose body holds under an instance.

    `atom` are the arguments of the atom that a clause derives; `None` for a rule that decides. `height` is
    one more than that of the highest step it stands on.
    """

    rule: str
    atom: tuple[Value, ...] | None
    instance: Instance
    height: int


Step: TypeAlias = GivenStep | RuleStep


@dataclass(frozen=True, slots=True)
class Proof:
    """Steps, each standing on earlier ones alone, and those that were to be proved.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
    >>> proof = bundle.case({"action": "ship", "args": {"pieces": 3}}).explanation().proof
    >>> [type(step).__name__ for step in proof.steps], proof.roots
    (['GivenStep', 'RuleStep'], (1,))
    """

    steps: tuple[Step, ...]
    roots: tuple[int, ...]

    @property
    def height(self) -> int:
        """The height of the highest root."""
        return max((self.steps[root].height for root in self.roots), default=0)


def uses(instance: Instance) -> Iterator[int]:
    """The steps that an instance stands on, those of its branches and aggregates included."""
    for premise in instance.premises:
        match premise:
            case Uses(step):
                yield step
            case Takes(_, inner):
                yield from uses(inner)
            case Ranges(matches):
                for inner in matches:
                    yield from uses(inner)
            case Computed() | Absent():
                pass
