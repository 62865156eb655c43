"""A bundle made again from a store: the program that decided then, with the reference data recorded last."""

from __future__ import annotations

from policylang.bundle.bundle import Bundle, remade
from policylang.bundle.loading import DEFAULT_LIMITS
from policylang.facts.border import utc_now
from policylang.facts.plans import Clock
from policylang.facts.reference import ReferenceData, ReferenceRelation
from policylang.trace.archive import Archive
from policylang.trace.programs import NotReplayableError, reference_again
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore


def recorded_bundle(store: TraceStore, digest: str, clock: Clock = utc_now) -> Bundle:
    """The bundle of the recorded program of a digest.

    Raises `NotReplayableError` where the program is not in the store or cannot be made again.
    """
    with store.view() as view:
        archive = Archive(view)
        try:
            program = archive.program(digest)
        finally:
            archive.close()
        held: dict[str, ReferenceRelation] = {}
        for record in view.records(Filter(kind="reference")):
            name = record.body["relation"]
            if name in program.schema.relations:
                try:
                    held[name] = reference_again(record.body, program.schema)
                except NotReplayableError:
                    continue  # of another version of the policy, which declares the fact otherwise
    return remade(program, ReferenceData(held), "auto", DEFAULT_LIMITS, clock)
