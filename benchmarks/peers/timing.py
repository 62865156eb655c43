"""Peers that answer the same requests, checked for equal answers and then measured in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to answer: from the request as its caller has it (`form` of it) to `allow`, `deny` or `needs_approval`."""

    name: str
    answer: Callable[[Any], str]
    form: Callable[[Mapping[str, Any]], Any]
    lacks: str
    """What it does not do in its time."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one peer took, in microseconds, and the ratio of its median to that of policylang's plan."""

    name: str
    median: float
    p99: float
    ratio: float
    lacks: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A peer that is not measured, and why."""

    name: str
    why: str


def differences(peers: Sequence[Peer], grid: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where peers answer a request otherwise than the first of them."""
    found = []
    for request in grid:
        answers = {peer.name: peer.answer(peer.form(request)) for peer in peers}
        expected = answers[peers[0].name]
        found += [
            f"{name} says {answer}, not {expected}, to {request}"
            for name, answer in answers.items()
            if answer != expected
        ]
    return found


def measured(
    peers: Sequence[Peer], grid: Sequence[Mapping[str, Any]], rounds: int, calls: int, first: str
) -> list[Figure]:
    """The figures of the peers: in each round every one of them answers as many requests of the grid.

    A slow peer answers fewer a round, so that a round takes about as long for each.
    """
    forms = {peer.name: [peer.form(request) for request in grid] for peer in peers}
    counts = {peer.name: _calls(peer, forms[peer.name], calls) for peer in peers}
    times: dict[str, list[int]] = {peer.name: [] for peer in peers}
    for turn in range(rounds):
        for peer in peers:
            times[peer.name] += _round(
                peer.answer, forms[peer.name], counts[peer.name], turn * 7919
            )
    base = median(times[first])
    return [
        Figure(
            peer.name,
            median(own := times[peer.name]) / 1e3,
            sorted(own)[len(own) * 99 // 100] / 1e3,
            median(own) / base,
            peer.lacks,
        )
        for peer in peers
    ]


def _calls(peer: Peer, requests: Sequence[Any], most: int) -> int:
    took = max(min(_round(peer.answer, requests, 5, 0)), 1)
    return max(min(most, 20_000_000 // took), 5)


def _round(
    answer: Callable[[Any], str], requests: Sequence[Any], calls: int, start: int
) -> list[int]:
    clock, count, found = time.perf_counter_ns, len(requests), []
    for number in range(start, start + calls):
        request = requests[number % count]
        began = clock()
        answer(request)
        found.append(clock() - began)
    return found
