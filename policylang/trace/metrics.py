"""Metrics: what became of the world after a decision, as a host reports it: complaints, reversals, amounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from policylang.trace.store import TraceStore

METRIC: Final = "metric"
"""The kind of the records."""

LONGEST_METRIC: Final = 200

Number = bool | int | Decimal
"""What can be reported: whether something happened, how often, or how much."""


def record_metric(store: TraceStore, decision: str, name: str, value: Number) -> str:
    """Record a metric of a decision, and return the record's identity.

    `value` is true or false (it happened or not), a count, or an amount as a `Decimal`. Several reports of one metric
    about one decision add up. Raises `ValueError` for a name that is empty or too long and for a number
    that is none, `TypeError` for a float, which is no exact amount, and what `TraceStore.record` raises.
    """
    return store.write(METRIC, metric_body(decision, name, value))


def metric_body(decision: str, name: str, value: Number) -> dict[str, Any]:
    """What a `metric` record says. Raises as `record_metric` does."""
    if not 0 < len(name) <= LONGEST_METRIC:
        raise ValueError(f"a metric has a name of 1 to {LONGEST_METRIC} characters")
    match value:
        case bool() | int():
            return {"decision": decision, "name": name, "value": value}
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"{value} is no amount")
            return {"decision": decision, "name": name, "value": format(value, "f")}
        case _:
            raise TypeError(f"a metric is a bool, an int or a Decimal, and not {value!r}")


def read_value(form: bool | int | str) -> Decimal:
    """The value of a record; true counts as one."""
    return Decimal(form)
