"""Values whose fields are made when they are first asked for.

One request in a thousand is looked at in full; all of them are decided. So a fact set or a decision may be made with what
its fields follow from, and without the fields. Nobody can tell: the first read makes them, and what they
follow from cannot change.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any


class Deferred:
    """A frozen dataclass with slots inherits from this where its fields may be made later.

    `origin` is what the fields follow from; None where all are there. `_make` puts the others into their
    slots. Thread-safe: two threads may both make the fields, and make them equal.
    """

    __slots__ = ("origin",)
    origin: Any

    @abstractmethod
    def _make(self, origin: Any) -> None:
        """Put every field that follows from `origin` into its slot."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Called only for a slot that is empty, or a name that is none.
            if name == "origin":
                return None
            origin = self.origin
            if origin is not None and name in type(self).__dataclass_fields__:
                self._make(origin)
            # Where another thread made the fields just now they are there; else this says what is not.
            return object.__getattribute__(self, name)
