"""An embedded policy engine for AI agents: small typed policies, exact decisions, proofs.

Every public name is imported when it is first used, so that `import policylang` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from policylang.errors import InternalError, PolicyError, PolicyInvalid

__version__ = "0.1.0"

__all__ = [
    "InternalError",
    "PolicyError",
    "PolicyInvalid",
    "__version__",
]

_HOMES: Final = {
    "InternalError": "policylang.errors",
    "PolicyError": "policylang.errors",
    "PolicyInvalid": "policylang.errors",
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
