"""An embedded policy engine for AI agents: small typed policies, exact decisions, proofs.

Every public name is imported when it is first used, so that `import policylang` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.bundle.case import Case
    from policylang.bundle.loading import load, loads
    from policylang.decide.decision import Decision, Outcome, Reason, ReasonKind
    from policylang.errors import InternalError, PolicyError, PolicyInvalid
    from policylang.evaluate.firings import Limits
    from policylang.explain.explain import Explanation
    from policylang.explain.proof import Proof
    from policylang.facts.rejection import Rejection
    from policylang.facts.sources import FactSource, Fetcher, Lookup
    from policylang.gate.gate import Gate
    from policylang.gate.verdict import ExecutedOtherwise, NotLeft, Refused, Verdict
    from policylang.trace.store import TraceStore
    from policylang.trace.writer import TraceUnavailableError

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "Case",
    "Decision",
    "ExecutedOtherwise",
    "Explanation",
    "FactSource",
    "Fetcher",
    "Gate",
    "InternalError",
    "Limits",
    "Lookup",
    "NotLeft",
    "Outcome",
    "PolicyError",
    "PolicyInvalid",
    "Proof",
    "Reason",
    "ReasonKind",
    "Refused",
    "Rejection",
    "TraceStore",
    "TraceUnavailableError",
    "Verdict",
    "__version__",
    "load",
    "loads",
]

_HOMES: Final = {
    "Bundle": "policylang.bundle.bundle",
    "Case": "policylang.bundle.case",
    "Decision": "policylang.decide.decision",
    "ExecutedOtherwise": "policylang.gate.verdict",
    "Explanation": "policylang.explain.explain",
    "FactSource": "policylang.facts.sources",
    "Fetcher": "policylang.facts.sources",
    "Gate": "policylang.gate.gate",
    "InternalError": "policylang.errors",
    "Limits": "policylang.evaluate.firings",
    "Lookup": "policylang.facts.sources",
    "NotLeft": "policylang.gate.verdict",
    "Outcome": "policylang.decide.decision",
    "PolicyError": "policylang.errors",
    "PolicyInvalid": "policylang.errors",
    "Proof": "policylang.explain.proof",
    "Reason": "policylang.decide.decision",
    "ReasonKind": "policylang.decide.decision",
    "Refused": "policylang.gate.verdict",
    "Rejection": "policylang.facts.rejection",
    "TraceStore": "policylang.trace.store",
    "TraceUnavailableError": "policylang.trace.writer",
    "Verdict": "policylang.gate.verdict",
    "load": "policylang.bundle.loading",
    "loads": "policylang.bundle.loading",
}


def __getattr__(name: str) -> Any:
    """Return the public name `name` from the module that holds it, and keep it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'policylang' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
