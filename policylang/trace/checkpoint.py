"""Checkpoints: how far every chain reached at a time, in a signed file that is kept outside of the host.

Who can write to a store can rebuild it whole, hashes and all. A checkpoint kept where they cannot write shows it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policylang.decide.json import canonical
from policylang.errors import PolicyError
from policylang.trace.reading import TraceView

FORM: Final = 1
"""The version of the form of a checkpoint."""


class UntrustedCheckpointError(PolicyError):
    """A checkpoint that cannot be read, or is not signed with the key given."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain."""

    writer: str
    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far every chain of a store reached at `at`, the writer's clock in UTC."""

    at: str
    heads: tuple[Head, ...]


def heads_of(view: TraceView) -> tuple[Head, ...]:
    """The last record of every chain, in the order of their names."""
    _, rows = view.query("""
        SELECT writer, max(sequence), arg_max(digest, sequence) FROM base.records
        GROUP BY writer ORDER BY writer""")
    return tuple(Head(*row) for row in rows)


def heads_body(heads: tuple[Head, ...]) -> dict[str, Any]:
    """What a `checkpoint` record says."""
    return {"heads": [_head(head) for head in heads]}


def _head(head: Head) -> dict[str, Any]:
    return {"writer": head.writer, "sequence": head.sequence, "digest": head.digest}


def write_checkpoint(path: Path, checkpoint: Checkpoint, key: bytes | None) -> None:
    """Write a checkpoint to a file; with a key, signed by HMAC-SHA-256 over its canonical form."""
    form = {"form": FORM, "at": checkpoint.at, **heads_body(checkpoint.heads)}
    signed = form if key is None else {**form, "hmac": _signature(form, key)}
    path.write_text(json.dumps(signed, indent=2) + "\n", encoding="utf-8")


def read_checkpoint(path: Path, key: bytes | None) -> Checkpoint:
    """Read a checkpoint. Raises `UntrustedCheckpointError` where it is none, or its signature is not the key's."""
    try:
        form = json.loads(path.read_text(encoding="utf-8"))
        signature = form.pop("hmac", None)
        heads = tuple(Head(h["writer"], h["sequence"], h["digest"]) for h in form["heads"])
        checkpoint = Checkpoint(form["at"], heads)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UntrustedCheckpointError(f"{path} is no checkpoint") from error
    if key is None:
        return checkpoint
    if not isinstance(signature, str):
        raise UntrustedCheckpointError(f"{path} is not signed")
    if not hmac.compare_digest(signature, _signature(form, key)):
        raise UntrustedCheckpointError(f"{path} is not signed with this key")
    return checkpoint


def _signature(form: Mapping[str, Any], key: bytes) -> str:
    return hmac.new(key, canonical(form), hashlib.sha256).hexdigest()
