"""Runtime values: the Python objects that stand for values of the policy language.

| language          | Python                                              |
|-------------------|-----------------------------------------------------|
| Bool              | `bool`                                              |
| Int               | `int`, any size                                     |
| Decimal(scale)    | `decimal.Decimal`, finite, never negative zero      |
| String, enums     | `str` (an enum value is its member's name)          |
| Date, Time        | `datetime.date`, naive `datetime.time`              |
| DateTime          | aware `datetime.datetime` in UTC, microseconds      |
| Duration          | `datetime.timedelta`                                |
| Ip, Cidr          | `ipaddress` addresses and networks                  |
| Set[T]            | `frozenset`                                         |
| List[T], records  | `tuple` of values; a record is a `Record`           |

A number is compared by its value: `Decimal("48.00") == 48`, and Python hashes both alike, so an
`Int` joins with a `Decimal`. A Bool never meets a number: types are checked before evaluation.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias


class Missing(enum.Enum):
    """The one value of an optional field that was not given."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Record:
    """A value of a record type: its field values in the order of the declaration.

    `values[i]` belongs to `RecordType.fields[i]`; an optional field that was not given is `MISSING`.
    """

    values: tuple[Value | Missing, ...]


Scalar: TypeAlias = (
    bool
    | int
    | Decimal
    | str
    | dt.date
    | dt.datetime
    | dt.time
    | dt.timedelta
    | IpAddress
    | IpNetwork
)
Value: TypeAlias = "Scalar | Record | frozenset[Value] | tuple[Value, ...]"
