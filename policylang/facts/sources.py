"""Facts fetched on demand: what a request lacks is looked up by key, validated like all else, and recorded.

A `FactSource` answers for one fact. `Fetcher.fetch` (or `afetch`) takes a request that the border refused with
`needs_facts`, asks the sources for what it lacks, and gives the request with the rows in it, to be
validated again. A source that fails, takes too long or is not there leaves the fact missing, so that the
decision stays deny; the failure is told beside it.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from policylang.diagnostics import Diagnostic
from policylang.facts import codes
from policylang.facts.objects import as_fields
from policylang.facts.schema import Source

DEFAULT_SECONDS = 2.0
"""How long a source may take where nothing else is said."""


@runtime_checkable
class FactSource(Protocol):
    """Looks up the rows of one fact for a request.

    `source` says how far its rows are trusted. `fetch` gets the request as the caller gave it and gives a
    row (or a list of rows, for `facts`), None where there is none; it may be a coroutine function where the gate
    is asked asynchronously. It may raise anything: that fails closed.

    >>> class Tiers:
    ...     source = Source.SYSTEM
    ...     def fetch(self, fact, request):
    ...         return {"tier": "pro" if request["args"]["customer_id"] == "c1" else "free"}
    >>> isinstance(Tiers(), FactSource)
    True
    """

    @property
    def source(self) -> Source:
        """Where its rows come from."""
        ...

    def fetch(self, fact: str, request: Mapping[str, Any], /) -> Any | Awaitable[Any]:
        """The row or rows of a fact (its qualified name) for this request."""
        ...


@dataclass(frozen=True, slots=True)
class Lookup:
    """A `FactSource` made of a function from a key to a row, and where in a request the key stands.

    `key` is a path of names (`("args", "customer_id")`). A request without it has no row.

    >>> tiers = {"c1": {"tier": "pro"}}
    >>> lookup = Lookup(tiers.get, ("args", "customer_id"))
    >>> lookup.fetch("shop.customer", {"action": "ship", "args": {"customer_id": "c1"}})
    {'tier': 'pro'}
    """

    function: Any
    key: tuple[str, ...]
    source: Source = Source.SYSTEM

    def fetch(self, _fact: str, request: Mapping[str, Any], /) -> Any | Awaitable[Any]:
        """The row of the key."""
        value: Any = request
        for step in self.key:
            value = value.get(step) if isinstance(value, Mapping) else None
        return None if value is None else self.function(value)


@dataclass(frozen=True, slots=True)
class Fetched:
    """One look-up: which fact, from which kind of source, what came, and how long it took.

    `rows` is what the source gave (None where it gave nothing or failed), for the trace.
    """

    fact: str
    source: Source
    rows: Any
    seconds: float
    problem: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """A request with what was fetched for it, and the record of the fetching."""

    request: Mapping[str, Any]
    fetched: tuple[Fetched, ...]

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """Why facts are still missing."""
        return tuple(found.problem for found in self.fetched if found.problem is not None)


class Fetcher:
    """The sources of a gate, by the qualified name of the fact they answer for. Thread-safe.

    Synchronous sources run on threads of their own, since nothing else can end the wait for a hung one.
    A thread that hangs is abandoned, and does not keep the process alive; with `threads` of them hanging, every
    further look-up fails.

    >>> fetcher = Fetcher({"shop.customer": Lookup({"c1": {"tier": "pro"}}.get, ("args", "id"))})
    >>> fetcher.fetch({"action": "ship", "args": {"id": "c1"}}, ["shop.customer"]).request["facts"]
    {'shop.customer': {'value': {'tier': 'pro'}, 'source': 'system'}}
    """

    def __init__(
        self,
        sources: Mapping[str, FactSource],
        *,
        seconds: float = DEFAULT_SECONDS,
        threads: int = 32,
    ) -> None:
        self._sources = dict(sources)
        self._seconds = seconds
        self._free = threading.BoundedSemaphore(threads)

    def beside(self, sources: Mapping[str, FactSource]) -> Fetcher:
        """A fetcher of other sources, with the same time limit, that shares the threads of this one."""
        made = Fetcher(sources, seconds=self._seconds)
        made._free = self._free
        return made

    def has(self, fact: str) -> bool:
        """Whether there is a source for a fact."""
        return fact in self._sources

    def fetch(self, request: Mapping[str, Any], facts: Iterable[str]) -> Completed:
        """The request with those of the facts that have a source, looked up at once, within the time limit.

        `facts` are qualified names: of what a rejection needs, or of what else a caller wants to be there.
        """
        started = time.monotonic()
        running = [
            (fact, source, self._start(_called, source, fact, request))
            for fact in facts
            if (source := self._sources.get(fact)) is not None
        ]
        fetched = [self._waited(*started_one, started) for started_one in running]
        return _completed(request, fetched)

    async def afetch(self, request: Mapping[str, Any], facts: Iterable[str]) -> Completed:
        """As `fetch`, on the running loop; sources that are coroutine functions run on it as well."""
        wanted = [(fact, self._sources[fact]) for fact in facts if fact in self._sources]
        fetched = await asyncio.gather(*(self._awaited(f, s, request) for f, s in wanted))
        return _completed(request, fetched)

    def _start(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(call(*arguments))
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
                future.set_exception(error)
            finally:
                self._free.release()

        if self._free.acquire(blocking=False):
            # A look-up that nobody waits for any more ends by itself: it cannot be called off.
            future.set_running_or_notify_cancel()
            threading.Thread(target=work, name="policylang-facts", daemon=True).start()
        else:
            future.set_exception(RuntimeError("too many look-ups hang"))
        return future

    def _waited(
        self, fact: str, source: FactSource, future: Future[Any], started: float
    ) -> Fetched:
        left = self._seconds - (time.monotonic() - started)
        try:
            return _fetched(fact, source, future.result(max(0.0, left)), started)
        except TimeoutError:
            return self._too_slow(fact, source, started)
        except Exception as error:  # noqa: BLE001 - whatever a source raises, the fact stays missing
            return _failed(fact, source, error, started)

    async def _awaited(self, fact: str, source: FactSource, request: Mapping[str, Any]) -> Fetched:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                return _fetched(fact, source, await self._asked(fact, source, request), started)
        except TimeoutError:
            return self._too_slow(fact, source, started)
        except Exception as error:  # noqa: BLE001 - whatever a source raises, the fact stays missing
            return _failed(fact, source, error, started)

    async def _asked(self, fact: str, source: FactSource, request: Mapping[str, Any]) -> Any:
        if inspect.iscoroutinefunction(source.fetch) or _is_async_lookup(source):
            given = source.fetch(fact, request)
        else:
            given = await asyncio.wrap_future(self._start(source.fetch, fact, request))
        return await given if inspect.isawaitable(given) else given

    def _too_slow(self, fact: str, source: FactSource, started: float) -> Fetched:
        problem = codes.SOURCE_TIMEOUT.at(None, name=f"of `{fact}`", detail=f"{self._seconds} s")
        return Fetched(fact, source.source, None, time.monotonic() - started, problem)


def _is_async_lookup(source: FactSource) -> bool:
    return isinstance(source, Lookup) and inspect.iscoroutinefunction(source.function)


def _called(source: FactSource, fact: str, request: Mapping[str, Any]) -> Any:
    """What a source gives; an asynchronous one runs on a loop of the thread's own."""
    given = source.fetch(fact, request)
    return asyncio.run(_finished(given)) if inspect.isawaitable(given) else given


async def _finished(given: Awaitable[Any]) -> Any:
    return await given


def _fetched(fact: str, source: FactSource, rows: Any, started: float) -> Fetched:
    return Fetched(fact, source.source, rows, time.monotonic() - started)


def _failed(fact: str, source: FactSource, error: Exception, started: float) -> Fetched:
    detail = f"{type(error).__name__}: {error}"
    problem = codes.SOURCE_FAILED.at(None, name=f"of `{fact}`", detail=detail[:200])
    return Fetched(fact, source.source, None, time.monotonic() - started, problem)


def _completed(
    request: Mapping[str, Any], fetched: list[Fetched] | tuple[Fetched, ...]
) -> Completed:
    """The request with every row that was fetched, each with where it comes from."""
    given = request.get("facts")
    facts = dict(given) if isinstance(given, Mapping) else {}
    for found in fetched:
        if found.rows is not None:
            facts[found.fact] = _with_source(found.rows, found.source)
    return Completed({**request, "facts": facts}, tuple(fetched))


def _with_source(rows: Any, source: Source) -> Any:
    if isinstance(rows, list | tuple) and not hasattr(rows, "_fields"):
        return [_wrapped(row, source) for row in rows]
    return _wrapped(rows, source)


def _wrapped(row: Any, source: Source) -> Any:
    fields = as_fields(row)
    return {"value": fields, "source": source.word} if isinstance(fields, dict) else fields
