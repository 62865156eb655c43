"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_CLOSE_ENOUGH = 0.6
_MANY = 1_000


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None where none is close; ties go to the first by name.

    Similarity is that of `difflib.SequenceMatcher` without regard to case; its cheap upper bounds
    are asked first, since a bundle may declare thousands of names.
    """
    wanted = name.lower()
    best: tuple[float, str] | None = None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    for candidate in _likely(wanted, sorted(set(candidates))):
        matcher.set_seq1(candidate.lower())
        least = best[0] if best else _CLOSE_ENOUGH
        if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
            continue
        ratio = matcher.ratio()
        if ratio >= _CLOSE_ENOUGH and (best is None or ratio > best[0]):
            best = (ratio, candidate)
    return best[1] if best else None


def _likely(wanted: str, candidates: list[str]) -> Iterable[str]:
    """Of very many candidates, those of a similar length that start or end alike."""
    if len(candidates) <= _MANY or not wanted:
        return candidates
    return [
        candidate
        for candidate in candidates
        if abs(len(candidate) - len(wanted)) <= 2
        and (candidate[:2].lower() == wanted[:2] or candidate[-2:].lower() == wanted[-2:])
    ]


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """A hint for an unknown name, or None."""
    found = closest(name, candidates)
    return f"did you mean `{found}`?" if found else None
