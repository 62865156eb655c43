"""Erasure: the keys of a subject are destroyed, and a record says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policylang.errors import PolicyError
from policylang.trace.keys import Destroyed
from policylang.trace.sealing import handles_of


class NothingToEraseError(PolicyError):
    """Nothing sealed is known of the subject, or of the decision; the text says what is."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: the record of it, and how many keys are destroyed."""

    record: str
    keys: int


def erasure_body(gone: tuple[Destroyed, ...], reason: str) -> dict[str, Any]:
    """What an `erasure` record says: the handles of keys that are no more, and whom, where records name them anyway."""
    names = sorted({key.subject for key in gone if key.subject})
    body: dict[str, Any] = {"handles": sorted(key.handle for key in gone)}
    if names:
        body["subjects"] = names
    if reason:
        body["reason"] = reason
    return body


def loose_handles(id_: str, body: dict[str, Any] | None) -> list[str]:
    """The handles that a record is sealed with. Raises `NothingToEraseError` where there are none."""
    if body is None:
        raise NothingToEraseError(f"there is no record {id_}")
    handles = handles_of(body)
    if not handles:
        raise NothingToEraseError(f"record {id_} holds nothing sealed")
    return handles
