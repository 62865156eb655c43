"""The codes of approvals: why a vote does not count. PL082x."""

from __future__ import annotations

from typing import Final

from policylang.diagnostics import declare

UNKNOWN_TICKET: Final = declare(
    "PL0820",
    "unknown approval",
    "there is no approval `{ticket}`",
    hint="`policylang approvals list` shows those of a store",
)
ALREADY_SETTLED: Final = declare(
    "PL0821",
    "approval that is settled",
    "the approval is {status}: nothing can be changed about it",
    hint="{next}",
)
SELF_APPROVAL: Final = declare(
    "PL0822",
    "approval of one's own call",
    "`{person}` asked for this call and cannot answer for it",
    hint="somebody else has to answer",
)
NO_RIGHTS_DECLARED: Final = declare(
    "PL0823",
    "nobody is declared who may approve",
    "no module declares who may approve `{action}`",
    hint="declare `action {name} {{ by: String }}`, and rules that allow it to those who may",
)
NOT_ENTITLED: Final = declare(
    "PL0824", "person who may not approve", "`{person}` may not answer for {roles}: {reason}"
)
VOTED_TWICE: Final = declare(
    "PL0825",
    "vote that was given already",
    "`{person}` has answered for {roles} already",
    hint="another person has to answer",
)
NOT_ASKED: Final = declare(
    "PL0826", "role that is not asked", "no approval by `{role}` is waited for", hint="{hint}"
)
NO_IDENTITY: Final = declare(
    "PL0827", "vote of nobody", "a vote needs the identity of who gives it"
)
