"""Days and times that are written in other forms than ISO 8601's usual one, made that form."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from policylang.facts import codes
from policylang.facts.forms import Unfit, short

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH: Final = {m: i for i, name in enumerate(_MONTHS, 1) for m in (name, name[:3])} | {"sept": 9}
_DAY: Final = {d: i for i, name in enumerate(_DAYS) for d in (name, name[:3])}
_WORDED_DATE: Final = re.compile(
    r"(?:(?P<weekday>[a-z]{3,9})\.?,? )?"
    r"(?:(?P<day>[0-9]{1,2})(?P<nth>st|nd|rd|th)?(?P<mark>[ -])(?P<month>[a-z]{3,9})\.?,?(?P=mark)"
    r"|(?P<month2>[a-z]{3,9})\.? (?P<day2>[0-9]{1,2})(?P<nth2>st|nd|rd|th)?,? )"
    r"(?P<year>[0-9]{4})"
)
_DATE_FORM: Final = "a form like 20 Nov 2026 or November 20, 2026 is expected"


def iso_date(text: str) -> str:
    """A day in another form of ISO 8601, or as `2026/11/20`. Raises `Unfit`."""
    form = re.sub(r"^([0-9]{4})/([0-9]{2})/([0-9]{2})$", r"\1-\2-\3", short(text).strip())
    if ordinal := re.fullmatch(r"([0-9]{4})-?([0-9]{3})", form):
        return _ordinal_date(int(ordinal[1]), int(ordinal[2]))
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|[0-9]{4}|-?W[0-9]{2}-?[1-7])", form):
        raise Unfit(codes.MALFORMED, "a form like 2026-11-20, 20261120 or 2026/11/20 is expected")
    try:
        return dt.date.fromisoformat(form).isoformat()
    except ValueError as error:
        raise Unfit(codes.MALFORMED, str(error)) from None


def _ordinal_date(year: int, day: int) -> str:
    try:
        found = dt.date(year, 1, 1) + dt.timedelta(days=day - 1)
    except (ValueError, OverflowError) as error:
        raise Unfit(codes.MALFORMED, str(error)) from None
    if found.year != year:
        raise Unfit(codes.MALFORMED, f"the year {year} has no day {day}")
    return found.isoformat()


def human_date(text: str) -> str:
    """A day with its month in English words. Raises `Unfit`."""
    form = " ".join(short(text).split()).lower()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", form):
        return form
    match = _WORDED_DATE.fullmatch(form)
    month = _MONTH.get(match["month"] or match["month2"]) if match else None
    if match is None or month is None:
        raise _unfit_date(form)
    try:
        found = dt.date(int(match["year"]), month, int(match["day"] or match["day2"]))
    except ValueError as error:
        raise Unfit(codes.MALFORMED, str(error)) from None
    _check_parts(match, found)
    return found.isoformat()


def _unfit_date(form: str) -> Unfit:
    if re.fullmatch(r"[0-9]{1,2}([/.-])[0-9]{1,2}\1([0-9]{2}|[0-9]{4})", form):
        readings = "with the day before the month, or after it"
        return Unfit(codes.AMBIGUOUS, readings, "write 2026-11-20, or 20 Nov 2026")
    return Unfit(codes.MALFORMED, _DATE_FORM)


def _check_parts(match: re.Match[str], found: dt.date) -> None:
    weekday, ending = match["weekday"], match["nth"] or match["nth2"]
    if weekday is not None and _DAY.get(weekday) != found.weekday():
        raise Unfit(codes.MALFORMED, f"it is a {_DAYS[found.weekday()].capitalize()}")
    teen = 11 <= found.day <= 13
    right = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(found.day % 10, "th")
    if ending is not None and ending != right:
        raise Unfit(codes.MALFORMED, f"the {found.day}{right} is written {found.day}{ending}")


def utc(text: str) -> str:
    """A timestamp that may lack its zone, which is then UTC. Raises `Unfit`."""
    form = short(text).strip()
    match = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)"
        r" ?(Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?",
        form,
    )
    if match is None:
        raise Unfit(codes.MALFORMED, "a form like 2026-11-20 09:00:00 is expected")
    zone = match[3] or "Z"
    if zone[0] in "+-" and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{match[1]}T{match[2]}{zone if zone[0] in '+-' else 'Z'}"
