"""What the commands about traces share: the store, filters, times, and what may go wrong with it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from policylang.trace.reading import Filter, TraceView

Command = TypeVar("Command", bound=Callable[..., Any])

_AGO: Final = re.compile(r"([0-9]{1,6})([dhm])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}

STORE_VARIABLE: Final = "POLICYLANG_STORE"
"""The variable of the environment that names the store where `--store` does not."""

store_option = click.option(
    "--store",
    "store_path",
    metavar="FILE",
    required=True,
    envvar=STORE_VARIABLE,
    help="The store: its DuckDB file.  [env: POLICYLANG_STORE]",
)

personal_option = click.option(
    "--personal",
    is_flag=True,
    help="Show personal values whose keys are there; secret ones stay masked.",
)


@contextmanager
def opened(store_path: str, *, personal: bool = False) -> Iterator[TraceView]:
    """Everything in the store at a path. What is wrong with it ends the command with a word about it."""
    from policylang.trace.reading import TraceView

    path = existing(store_path)
    with said(), TraceView(path, _segments(path), personal=personal) as view:
        yield view


@contextmanager
def said() -> Iterator[None]:
    """Turn what a store raises into the message of a command that failed."""
    from policylang.bundle.batch import WorkersLost
    from policylang.trace.checkpoint import UntrustedCheckpointError
    from policylang.trace.journal import JournalMismatchError
    from policylang.trace.programs import NotReplayableError
    from policylang.trace.reading import TraceQueryError
    from policylang.trace.writer import TraceUnavailableError

    try:
        yield
    except (
        JournalMismatchError,
        NotReplayableError,
        TraceQueryError,
        TraceUnavailableError,
        UntrustedCheckpointError,
        WorkersLost,
    ) as error:
        raise click.ClickException(str(error)) from error


def existing(store_path: str) -> Path:
    """The path of a store that is there; a wrong one is a usage error, and makes no store."""
    path = Path(store_path)
    if not path.exists() and not _segments(path).is_dir():
        raise click.UsageError(f"there is no store at {store_path}")
    return path


def _segments(path: Path) -> Path:
    from policylang.trace.store import segments_of

    return segments_of(path)


def filter_options(command: Command) -> Command:
    """Add the options that choose decisions."""
    for option in (
        click.option("--where", metavar="SQL", help="A condition on the columns of `decisions`."),
        click.option("--fact", metavar="FACT.FIELD=VALUE", help="Decisions on such a fact."),
        click.option("--until", metavar="TIME", help="Before this time, or so long ago."),
        click.option(
            "--since", metavar="TIME", help="From this time (UTC), or so long ago: 30d, 12h."
        ),
        click.option("--rule", help="Decisions that this rule determined, or was overridden in."),
        click.option(
            "--outcome",
            type=click.Choice(["allow", "deny", "needs_approval"]),
            help="Decisions with this outcome.",
        ),
        click.option("--agent", help="Decisions for this agent."),
        click.option("--action", help="Decisions about this action."),
    ):
        command = option(command)
    return command


def chosen(
    given: dict[str, Any],
    *,
    after: str | None = None,
    beyond: tuple[tuple[str, int], ...] = (),
    limit: int | None = None,
    newest_first: bool = False,
) -> Filter:
    """The filter that the options of `filter_options` describe."""
    from policylang.trace.reading import Filter

    return Filter(
        kind="decision",
        action=given["action"],
        agent=given["agent"],
        outcome=given["outcome"],
        rule=given["rule"],
        since=_time(given["since"], "--since"),
        until=_time(given["until"], "--until"),
        fact=_fact(given["fact"]),
        where=given["where"],
        after=after,
        beyond=beyond,
        limit=limit,
        newest_first=newest_first,
    )


def _time(text: str | None, option: str) -> str | None:
    return None if text is None else time_of(text, option)


def time_of(text: str, option: str) -> str:
    """A time in UTC that was given with an option: `30d`, `12h`, or a time. Raises `click.BadParameter`."""
    try:
        return _moment(text).isoformat()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"`{text}` is no time: write 30d, 12h, or 2026-11-20T09:00:00", param_hint=option
        ) from None


def _moment(text: str) -> dt.datetime:
    """A time in UTC, or so long ago. Raises `ValueError`, and `OverflowError` where no calendar reaches it."""
    if found := _AGO.fullmatch(text):
        past = dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
        return (dt.datetime.now(dt.UTC) - past).replace(tzinfo=None)
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _fact(text: str | None) -> tuple[str, str, str] | None:
    if text is None:
        return None
    place, equals, value = text.partition("=")
    fact, dot, field = place.rpartition(".")
    if not (equals and dot and fact and field):
        raise click.BadParameter(f"`{text}` is not FACT.FIELD=VALUE", param_hint="--fact")
    return fact, field, value
