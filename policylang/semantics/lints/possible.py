"""Which values a variable can still have: a range, or a set of values, and those ruled out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
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
        low, is_open = self._on_grid(low, up=True, is_open=is_open)
        if self.low is not None and (low, is_open) <= (self.low, self.low_open):
            return self
        return replace(self, low=low, low_open=is_open)

    def _up_to(self, high: Any, *, is_open: bool) -> Possible:
        high, is_open = self._on_grid(high, up=False, is_open=is_open)
        if self.high is not None and (high, not is_open) >= (self.high, not self.high_open):
            return self
        return replace(self, high=high, high_open=is_open)

    def _on_grid(self, bound: Any, *, up: bool, is_open: bool) -> tuple[Any, bool]:
        """The nearest bound that a whole number, or a Decimal with its places, can reach."""
        places = self._places()
        if places is None:
            return bound, is_open
        numerator, denominator = _scaled(bound, places)
        units = -(-numerator // denominator) if up else numerator // denominator
        if is_open and numerator == units * denominator:
            units += 1 if up else -1
        return _unscaled(units, places), False

    def _places(self) -> int | None:
        if self.type is INT:
            return 0
        return self.type.scale if isinstance(self.type, DecimalType) else None

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
        places = self._places()
        if places is None or not isinstance(value, int | Decimal):
            return True
        numerator, denominator = _scaled(value, places)
        return numerator % denominator == 0

    def verdict(self, operation: Operation, value: Value) -> bool | None:
        """Whether the comparison holds for all that is possible, for nothing, or (None) for some."""
        if self.narrowed(operation, value).is_empty:
            return False
        return True if self.narrowed(opposite(operation), value).is_empty else None


def _scaled(number: int | Decimal, places: int) -> tuple[int, int]:
    """A number in units of its last place, as a fraction: a decimal context would round what is long."""
    numerator, denominator = number.as_integer_ratio()
    return numerator * 10**places, denominator


def _unscaled(units: int, places: int) -> Decimal:
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -places))


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
