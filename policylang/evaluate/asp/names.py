"""Names for an ASP program, made from the names of a policy and never from its data."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OTHER = re.compile(r"[^A-Za-z0-9]+")
_RESERVED = frozenset({"not", "true", "false", "missing"})


class Names:
    """Gives each wish a name of its own: lower case for predicates, upper case for variables."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken: set[str] = {*_RESERVED, *taken}

    def predicate(self, wish: str) -> str:
        """A name for a predicate or a call that reads like the wish."""
        plain = _OTHER.sub("_", wish).strip("_").lower()
        return self._free(plain if plain[:1].isalpha() else f"p_{plain}".rstrip("_"))

    def variable(self, wish: str) -> str:
        """A name for a variable that reads like the wish."""
        plain = _OTHER.sub("_", wish).strip("_")
        return self._free(plain[:1].upper() + plain[1:] if plain[:1].isalpha() else f"V{plain}")

    def _free(self, name: str) -> str:
        free, count = name, 2
        while free in self._taken:
            free, count = f"{name}_{count}", count + 1
        self._taken.add(free)
        return free
