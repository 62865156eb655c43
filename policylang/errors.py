"""The root of everything that policylang raises."""

from __future__ import annotations


class PolicylangError(Exception):
    """The root of the exceptions of policylang: catch this to catch them all."""


class InternalError(PolicylangError):
    """A bug in policylang, not in a policy or a request: please report it with its message."""
