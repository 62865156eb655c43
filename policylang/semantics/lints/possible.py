"""Which values a variable can still have: a range, or a set of values, and those ruled out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from policylang.facts.types import BOOL, INT, DecimalType, Domain, EnumType, Type, base
from policylang.facts.values import Value
from policylang.semantics.operations import is_ordered
from policylang.semantics.program import Operation

_OPPOSITES: Final = {
    Operation.EQ: Operation.NE,
    Operation.NE: Operation.EQ,
    Operation.LT: Operation.GE,
    Operation.GE: Operation.LT,
    Operation.GT: Operation.LE,
    Operation.LE: Operation.GT,
}


def opposite(operation: Operation) -> Operation:
    """The comparison that holds of two values where this one does not."""
    return _OPPOSITES[operation]


@dataclass(frozen=True, slots=True)
class Possible:
    """The values of one type that are possible.

    `low` and `high` are bounds by `rank` (None: open), reached unless `low_open`, `high_open`;
    `one_of` lists all that are left where they are few; `excluded` are ruled out.
    """

    type: Type
    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False
    one_of: frozenset[Value] | None = None
    excluded: frozenset[Value] = frozenset()

    def rank(self, value: Value) -> Any:
        """What orders values of the type: an enum's place in its declaration, else the value."""
        if isinstance(self.type, EnumType) and isinstance(value, str):
            return self.type.member_names.index(value)
        return value

    def narrowed(self, operation: Operation, value: Value) -> Possible:
        """The values that compare so with a constant, too."""
        match operation:
            case Operation.EQ:
                return self.among([value])
            case Operation.NE:
                return replace(self, excluded=self.excluded | {value})
            case Operation.GE | Operation.GT:
                return self._from(self.rank(value), is_open=operation is Operation.GT)
            case Operation.LE | Operation.LT:
                return self._up_to(self.rank(value), is_open=operation is Operation.LT)
            case _:
                return self

    def among(self, values: Iterable[Value]) -> Possible:
        """Those of the values that are possible."""
        listed = frozenset(values)
        return replace(self, one_of=listed if self.one_of is None else self.one_of & listed)

    def _from(self, low: Any, *, is_open: bool) -> Possible:
        low, is_open = self._on_grid(low, ROUND_CEILING, is_open=is_open)
        if self.low is not None and (low, is_open) <= (self.low, self.low_open):
            return self
        return replace(self, low=low, low_open=is_open)

    def _up_to(self, high: Any, *, is_open: bool) -> Possible:
        high, is_open = self._on_grid(high, ROUND_FLOOR, is_open=is_open)
        if self.high is not None and (high, not is_open) >= (self.high, not self.high_open):
            return self
        return replace(self, high=high, high_open=is_open)

    def _on_grid(self, bound: Any, rounding: str, *, is_open: bool) -> tuple[Any, bool]:
        """The nearest bound that a whole number, or a Decimal with its places, can reach."""
        step = self._step()
        if step is None:
            return bound, is_open
        whole = (Decimal(bound) / step).to_integral_value(rounding=rounding) * step
        if whole == bound and is_open:
            whole += step if rounding == ROUND_CEILING else -step
        return whole, False

    def _step(self) -> Decimal | None:
        if self.type is INT:
            return Decimal(1)
        if isinstance(self.type, DecimalType) and self.type.scale is not None:
            return Decimal(1).scaleb(-self.type.scale)
        return None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is possible."""
        if self.one_of is not None:
            return not any(self._allows(value) for value in self.one_of)
        if self.low is None or self.high is None:
            return False
        if self.low > self.high or (self.low == self.high and (self.low_open or self.high_open)):
            return True
        return self.low == self.high and self.low in self.excluded

    def _allows(self, value: Value) -> bool:
        rank = self.rank(value)
        if value in self.excluded or not self._is_reachable(value):
            return False
        above = self.low is None or rank > self.low or (rank == self.low and not self.low_open)
        below = self.high is None or rank < self.high or (rank == self.high and not self.high_open)
        return above and below

    def _is_reachable(self, value: Value) -> bool:
        step = self._step()
        return step is None or not isinstance(value, int | Decimal) or Decimal(value) % step == 0

    def verdict(self, operation: Operation, value: Value) -> bool | None:
        """Whether the comparison holds for all that is possible, for nothing, or (None) for some."""
        if self.narrowed(operation, value).is_empty:
            return False
        return True if self.narrowed(opposite(operation), value).is_empty else None


def everything(domain: Domain) -> Possible:
    """All values of a domain."""
    kind = base(domain.type)
    possible = Possible(kind)
    if isinstance(kind, EnumType):
        return possible.among(kind.member_names)
    if kind is BOOL:
        return possible.among([True, False])
    if domain.low is not None:
        possible = possible.narrowed(Operation.GE, domain.low)
    if domain.high is not None:
        possible = possible.narrowed(Operation.LE, domain.high)
    return possible


def can_compare(possible: Possible, operation: Operation) -> bool:
    """Whether a comparison with a constant says something about what is possible."""
    if operation in (Operation.EQ, Operation.NE):
        return True
    return operation in _OPPOSITES and is_ordered(possible.type)
