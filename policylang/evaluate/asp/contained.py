"""Evaluations that may take long, in a process of their own that is killed at its deadline.

The worker is started when it is first needed and kept; a killed one is replaced. It ends with its evaluator, or when
its input ends, which is what happens where this process dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, Final, TypeVar

from policylang.errors import InternalError
from policylang.evaluate.asp.worker import OUT_OF_MEMORY
from policylang.evaluate.firings import Evaluation, Failure, FailureKind, Firings, Limits
from policylang.facts.factset import FactSet, Row
from policylang.semantics.program import Program

_T = TypeVar("_T")

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from policylang.evaluate.asp.worker import main; main()"
)
_SECONDS_TO_START: Final = 60.0
_SECONDS_TO_PREPARE: Final = 60.0
"""For what depends on reference data alone, which is solved before the first request that reads it."""


@dataclass(slots=True)
class _Process:
    """A running worker, and which process started it: only that one may talk to it or end it."""

    running: subprocess.Popen[bytes]
    owner: int
    is_ready: bool = False
    prepared: dict[str, object] = field(default_factory=dict)


class Contained:
    """One worker for one program with its reference data. Thread-safe: evaluations wait for each other."""

    def __init__(self, program: Program, reference: Mapping[str, tuple[Row, ...]]) -> None:
        self._given = (program, reference)
        self._lock = threading.Lock()
        self._processes: list[_Process] = []
        self._hopeless: dict[str, Failure] = {}
        self._end = weakref.finalize(self, _end_all, self._processes)
        _all.add(self)

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request, or the failure that it hit one of its limits.

        Waiting for another evaluation, or for what depends on reference data alone, counts as well.
        """
        process = self._prepared(facts.action, limits)
        if isinstance(process, Failure):
            return process
        return self._released_on_error(lambda: self._evaluated(process, facts, limits), last=True)

    def fixed(self, action: str, limits: Limits) -> object:
        """What the worker's evaluator makes of reference data alone for an action, or the failure that it hit a limit."""
        process = self._prepared(action, limits)
        if isinstance(process, Failure):
            return process
        self._lock.release()
        return process.prepared[action]

    def _prepared(self, action: str, limits: Limits) -> _Process | Failure:
        """The worker with the lock held, once it has solved what an action reads of reference data alone."""
        until = time.monotonic() + limits.seconds
        if not self._lock.acquire(timeout=limits.seconds):
            return _too_slow(limits)
        process = self._released_on_error(self._process)
        if action not in process.prepared:
            failure = self._prepare(process, action, limits, until)
            if failure is not None:
                return failure
        return process

    def _released_on_error(self, run: Callable[[], _T], last: bool = False) -> _T:
        """Do something under the lock, which the caller holds. An interrupted conversation is not taken up again."""
        try:
            done = run()
        except BaseException:
            _end_all(self._processes)
            self._lock.release()
            raise
        if last:
            self._lock.release()
        return done

    def _prepare(
        self, process: _Process, action: str, limits: Limits, until: float
    ) -> Failure | None:
        """Have what an action reads of reference data solved; a failure where it takes longer than the request may.

        It goes on in the background then, and holds the lock: later requests find it done, or wait as well.
        """
        if action in self._hopeless:
            self._lock.release()
            return self._hopeless[action]
        done = threading.Event()

        def run() -> None:
            try:
                longer = replace(limits, seconds=_SECONDS_TO_PREPARE)
                answer = self._answer(process, (action, longer), longer.seconds, longer)
                if isinstance(answer, Failure):
                    self._hopeless[action] = answer
                else:
                    process.prepared[action] = answer
            finally:
                self._lock.release()
                done.set()

        threading.Thread(target=run, daemon=True).start()
        if not done.wait(max(until - time.monotonic(), 0.0)):
            return _too_slow(limits)
        if not self._lock.acquire(timeout=max(until - time.monotonic(), 0.0)):
            return _too_slow(limits)
        if action in self._hopeless:
            self._lock.release()
            return self._hopeless[action]
        return None

    def _evaluated(self, process: _Process, facts: FactSet, limits: Limits) -> Evaluation:
        answer = self._answer(process, (_picklable(facts), limits), limits.seconds, limits)
        if isinstance(answer, Firings | Failure):
            return answer
        raise InternalError("a worker that answers what it was not asked")

    def _answer(
        self, process: _Process, question: object, seconds: float, limits: Limits
    ) -> object:
        """The answer of the worker, which is replaced where it did not survive the question."""
        answer = _asked(process, question, seconds)
        if answer is not _KILLED and answer is not _DIED and answer != OUT_OF_MEMORY:
            return answer
        self._replace()
        return _too_slow(limits) if answer is _KILLED else OUT_OF_MEMORY

    def close(self) -> None:
        """End the worker, and with it what waits for its answer."""
        for process in list(self._processes):
            if process.owner == os.getpid():
                process.running.kill()
        if self._lock.acquire(timeout=_SECONDS_TO_START):
            self._end()
            self._lock.release()

    def after_fork(self) -> None:
        """In a forked child: leave the parent's worker alone, and start with none."""
        self._lock = threading.Lock()
        for process in self._processes:
            process.running.returncode = 0
        self._processes.clear()

    def _process(self) -> _Process:
        if not self._end.alive:
            raise RuntimeError("an evaluator was asked after it was closed")
        if not self._processes:
            self._processes.append(_started())
        process = self._processes[0]
        if not process.is_ready:
            program, reference = self._given
            given = (_picklable_program(program), dict(reference))
            if _asked(process, given, _SECONDS_TO_START) is not True:
                self._replace()
                raise InternalError("the process that evaluates within limits did not start")
            process.is_ready = True
        return process

    def _replace(self) -> None:
        _end_all(self._processes)
        if self._end.alive:
            self._processes.append(_started())


_all: weakref.WeakSet[Contained] = weakref.WeakSet()
_KILLED: Final = object()
_DIED: Final = object()


def _started() -> _Process:
    running = subprocess.Popen(
        [sys.executable, "-c", _START, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # An interrupt from the keyboard is for the program that embeds this.
        start_new_session=True,
    )
    return _Process(running, os.getpid())


class _Deadline:
    """Kills a worker after some seconds, unless it was met."""

    def __init__(self, process: _Process, seconds: float) -> None:
        self._lock = threading.Lock()
        self._process = process
        self._over = False
        self.killed = False
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True
        self._timer.start()

    def _kill(self) -> None:
        with self._lock:
            if not self._over:
                self.killed = True
                self._process.running.kill()

    def met(self) -> None:
        """From here on the worker is not killed any more."""
        self._timer.cancel()
        with self._lock:
            self._over = True


def _asked(process: _Process, question: object, seconds: float) -> object:
    """The answer of a worker; `_KILLED` where it took too long, `_DIED` where it ended by itself."""
    deadline = _Deadline(process, seconds)
    answer: object = _DIED
    try:
        into, out = _pipes(process.running)
        pickle.dump(question, into, pickle.HIGHEST_PROTOCOL)
        into.flush()
        answer = pickle.load(out)
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        pass  # It ended, or this process is about to.
    finally:
        deadline.met()
    return _KILLED if deadline.killed else answer


def _pipes(running: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if running.stdin is None or running.stdout is None:
        raise InternalError("a worker without pipes")
    return running.stdin, running.stdout


def _end_all(processes: list[_Process]) -> None:
    for process in processes:
        if process.owner == os.getpid():
            process.running.kill()
            for pipe in _pipes(process.running):
                with contextlib.suppress(OSError):
                    pipe.close()
            process.running.wait()
    processes.clear()


def _too_slow(limits: Limits) -> Failure:
    return Failure(
        "",
        FailureKind.TIME_LIMIT.value,
        f"the evaluation takes longer than its limit of {limits.seconds:g} seconds",
    )


def _picklable(facts: FactSet) -> FactSet:
    return replace(facts, rows=dict(facts.rows), reference={}, changes=(), defaults=())


def _picklable_program(program: Program) -> Program:
    """The program with mappings that can be sent to another process."""
    schema: Any = program.schema
    return replace(
        program,
        schema=replace(
            schema,
            relations=dict(schema.relations),
            params=dict(schema.params),
            decisions=dict(schema.decisions),
        ),
        predicates=dict(program.predicates),
        tables=dict(program.tables),
        groups=dict(program.groups),
    )


def _after_fork() -> None:
    for contained in list(_all):
        contained.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
