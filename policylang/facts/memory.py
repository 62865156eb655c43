"""What was made of texts that come again and again: most wrong forms of a field are the same few."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 1_024
"""Texts that are remembered of one field."""

LONGEST: Final = 64
"""A longer text is no form of a number, a date or a member."""


class Memory(Generic[T]):
    """A bounded memory from text to what was made of it. Thread-safe; full, it takes up nothing more."""

    __slots__ = ("_known", "get")

    def __init__(self) -> None:
        self._known: dict[str, T] = {}
        self.get = self._known.get

    def keep(self, text: str, made: T) -> T:
        """Remember what was made of a text, where there is room, and give it back."""
        if len(text) <= LONGEST and len(self._known) < MOST:
            self._known[text] = made
        return made
