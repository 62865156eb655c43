"""`Gate`: the point between a proposal and its effect. A call that it did not decide does not run through it."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Literal, Self

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import load
from policylang.facts.sources import FactSource
from policylang.gate.point import DecisionPoint, GateSettings
from policylang.rollout.deciding import Decider, SingleBundle
from policylang.rollout.deployment import Deployment
from policylang.trace.store import TraceStore


class Gate(DecisionPoint):
    """Decides calls, and runs those that are allowed with exactly what was decided. Thread-safe.

    Made by `open`; `close` (or leaving a `with` block) closes the store, and what `open` has loaded.
    """

    @classmethod
    def open(
        cls,
        policies: str | PathLike[str] | Bundle | Decider | None = None,
        *,
        store: str | PathLike[str] | TraceStore,
        sources: Mapping[str, FactSource] | None = None,
        settings: GateSettings | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Self:
        """Open a gate over policies and a store.

        `policies` is a folder or file of modules (with `params` overriding params by name), or a bundle that is loaded already; without it
        the modules that are published in the store decide, with their rollouts. `sources` are looked up for facts that a
        call does not bring, by name of the fact.

        Raises `PolicyInvalid` where the policies have errors or a source is for no declared fact,
        `TraceUnavailableError` where the state beside the store cannot be made, and `OSError` where its folder cannot.
        """
        chosen = (settings or GateSettings()).clock
        opened = store if isinstance(store, TraceStore) else TraceStore.open(store)
        try:
            # Made now: a state that is missing later on has vanished, and is not taken for one that never was.
            opened.state.version()
            match policies:
                case None:
                    decider: Decider = Deployment(opened, clock=chosen)
                case Bundle():
                    decider = SingleBundle(policies)
                case str() | PathLike():
                    decider = SingleBundle(load(policies, params=params, clock=chosen))
                case _:
                    decider = policies
            return cls(decider, opened, sources, settings)
        except BaseException:
            opened.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False
