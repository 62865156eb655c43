"""What the public views say, column by column: for `\\d` in the shell, and for the page that documents them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DocumentedView:
    """A view: what one row of it is, and what its columns hold, in their order."""

    about: str
    columns: dict[str, str]


_ID: Final = "the record's identity"
_AT: Final = "when it was recorded, UTC"
_DECISION: Final = "the decision it belongs to"
_BODY: Final = "all that the record says, as JSON"

DOCUMENTED: Final = {
    "decisions": DocumentedView(
        "one decision",
        {
            "id": "its identity, in the order of time",
            "decided_at": "when it was recorded, UTC",
            "requested_at": "the request's `now`",
            "action": "the action that was asked for",
            "agent": "who asked",
            "outcome": "`allow`, `deny` or `needs_approval`",
            "stage": "the stage that decided: `active`, `canary`, `shadow`",
            "bucket": "the request's bucket in a rollout",
            "rules": "the rules that determined it",
            "overridden": "the rules that fired and were overridden",
            "violated": "the invariants that were violated",
            "arguments": "the action's arguments, as JSON",
            "program": "the digest of the program that decided",
            "evaluator": "what evaluated it, with its version",
            "microseconds": "how long deciding took",
            "rejection": "why the request reached no rule",
            "error": "the code of the failure of its evaluation",
        },
    ),
    "reasons": DocumentedView(
        "one reason of a decision",
        {
            "decision": _DECISION,
            "position": "its place among the reasons, from 0",
            "kind": "the kind of reason, as in a decision",
            "rule": "the rule behind it",
            "message": "its sentence",
            "internal": "whether it is not for customers",
        },
    ),
    "firings": DocumentedView(
        "one rule that fired",
        {
            "decision": _DECISION,
            "position": "its place among the firings, from 0",
            "rule": "the rule, clauses of definitions included",
            "bindings": "the values of its variables, as JSON",
        },
    ),
    "facts": DocumentedView(
        "one field of one fact that a decision was made on",
        {
            "decision": _DECISION,
            "fact": "the fact, action or history",
            "row": "its row, from 0",
            "field": "its field",
            "type": "the declared type",
            "value": "the value as text",
            "number": "the value of Int and Decimal, rounded to 6 places; null where it does not fit 38 digits",
            "moment": "the value of Date and DateTime",
            "source": "where it came from: `system`, `tool`, `user`, `model`",
        },
    ),
    "modules": DocumentedView(
        "one module of a program that decided",
        {
            "program": "the digest of the program",
            "module": "the module's name",
            "version": "its version",
            "digest": "the digest of its content",
            "file": "the file it was read from",
            "text": "its text",
        },
    ),
    "outcomes": DocumentedView(
        "what became of an action",
        {
            "id": _ID,
            "decision": _DECISION,
            "recorded_at": _AT,
            "status": "`executed`, `failed`, `skipped` or `compensated`",
            "action": "the action that was really called",
            "arguments": "what it was really called with, as JSON",
            "detail": "a word about it",
        },
    ),
    "approvals": DocumentedView(
        "one step of one approval",
        {
            "id": _ID,
            "recorded_at": _AT,
            "ticket": "the approval",
            "event": "what happened: `requested`, `voted`, `granted`, `rejected`, `used`, ...",
            "decision": "the decision that asked for it",
            "action": "the action it is about",
            "agent": "the agent that asked",
            "subject": "whom it is about",
            "person": "who voted",
            "role": "as what",
            "granted": "whether the vote grants",
            "note": "what was said with the vote",
            "used_by": "the decision that used it",
            "body": _BODY,
        },
    ),
    "stops": DocumentedView(
        "one use of a kill switch",
        {
            "id": _ID,
            "recorded_at": _AT,
            "event": "`stopped` or `lifted`",
            "scope": "what was stopped",
            "person": "who did it",
            "why": "why",
            "body": _BODY,
        },
    ),
    "rollouts": DocumentedView(
        "one step of a version through its stages",
        {
            "id": _ID,
            "recorded_at": _AT,
            "module": "the module",
            "version": "its version",
            "rollout": "the rollout it belongs to",
            "step": "what was done",
            "stage_before": "the stage it was in",
            "stage_after": "the stage it is in",
            "person": "who did it",
            "why": "why",
            "automatic": "whether a budget or a criterion did it",
            "body": _BODY,
        },
    ),
    "comparisons": DocumentedView(
        "what a candidate says to a live request",
        {
            "id": _ID,
            "recorded_at": _AT,
            "decision": "the live decision",
            "action": "the action that was asked for",
            "agent": "who asked",
            "module": "the candidate's module",
            "version": "its version",
            "rollout": "its rollout",
            "role": "`shadow` or `canary`",
            "live_outcome": "what the active version says",
            "candidate_outcome": "what the candidate says",
            "direction": "`same`, `tighter` or `looser`",
            "body": _BODY,
        },
    ),
    "metrics": DocumentedView(
        "what a host reports of the world after a decision",
        {
            "id": _ID,
            "recorded_at": _AT,
            "decision": "the decision it is about",
            "name": "what is measured, such as `complaint`",
            "value": "`true`, `false` or an exact number",
            "number": "the same as a number, rounded to 6 places; `true` is 1",
        },
    ),
    "versions": DocumentedView(
        "one version of a module that was published",
        {
            "id": _ID,
            "recorded_at": _AT,
            "module": "the module",
            "version": "its version",
            "person": "who published it",
            "digest": "the digest of its text",
            "meaning": "the digest of what it means, whatever its layout",
            "content": "the digest of text, params and reference data together",
            "file": "the file it was read from",
            "text": "its text",
            "params": "the params that it was published with, as JSON",
            "reference": "the digests of its reference data, as JSON",
            "body": _BODY,
        },
    ),
    "backtests": DocumentedView(
        "one backtest of a version on recorded decisions",
        {
            "id": _ID,
            "recorded_at": _AT,
            "module": "the module",
            "version": "its version",
            "person": "who ran it",
            "first": "the time of the first decision, UTC",
            "last": "the time of the last one",
            "same": "decisions that come out the same",
            "reasons": "with the same outcome and duties, for other reasons",
            "duties": "with the same outcome and other duties",
            "tighter": "that the version decides more strictly",
            "looser": "that it decides less strictly",
            "errors": "in which it fails",
            "skipped": "that it could not decide",
            "body": _BODY,
        },
    ),
    "gaps": DocumentedView(
        "what could not be recorded while a store failed open",
        {
            "id": _ID,
            "recorded_at": _AT,
            "lost": "how many records",
            "decisions": "their identities, the first thousand",
            "body": _BODY,
        },
    ),
    "erasures": DocumentedView(
        "one erasure",
        {
            "id": _ID,
            "recorded_at": _AT,
            "keys": "how many keys were destroyed",
            "subjects": "whose, where records may name them",
            "reason": "why",
            "body": _BODY,
        },
    ),
    "retentions": DocumentedView(
        "one dropping of what was old",
        {
            "id": _ID,
            "recorded_at": _AT,
            "before": "what was recorded before this time was dropped, UTC",
            "records": "how many records were dropped",
            "chains": "how many chains were ever shortened",
            "body": _BODY,
        },
    ),
    "incidents": DocumentedView(
        "one request that two evaluators answer differently",
        {
            "id": _ID,
            "recorded_at": _AT,
            "found_at": "when it was found",
            "program": "the digest of the program",
            "action": "the action that was asked for",
            "live_by": "what decided live",
            "again_by": "what was asked again",
            "failure": "the code of the side that failed",
            "body": _BODY,
        },
    ),
    "events": DocumentedView(
        "one record that is no decision, each once",
        {
            "id": _ID,
            "recorded_at": _AT,
            "kind": "its kind: `approval`, `gap`, `erasure`, ...",
            "body": _BODY,
        },
    ),
    "records": DocumentedView(
        "one record of any kind, as it stands in its chain",
        {
            "id": "its identity; an event that was written again after a kill has its own twice",
            "kind": "its kind: `decision`, `program`, `outcome`, ...",
            "recorded_at": _AT,
            "writer": "the chain it stands in",
            "sequence": "its number there, from 1",
            "previous": "the hash of the record before it",
            "digest": "its own: `sha256(text)`",
            "text": "its canonical JSON, personal values sealed",
        },
    ),
    "rule_stats": DocumentedView(
        "one rule of one program, counted in decisions",
        {
            "program": "the digest of the program",
            "rule": "the rule",
            "fired": "decisions in which it fired",
            "decided": "decisions that it determined",
            "overridden": "decisions in which it was overridden",
            "last_fired": "when it fired last",
        },
    ),
    "daily": DocumentedView(
        "decisions of a day, counted",
        {
            "day": "the day, UTC",
            "action": "the action",
            "outcome": "the outcome",
            "stage": "the stage that decided",
            "program": "the digest of the program",
            "decisions": "how many",
            "agents": "by how many agents",
            "rejected": "of which reached no rule",
            "failed": "of which failed",
            "slowest_microseconds": "the slowest",
        },
    ),
}
"""Every public view but those of single facts."""
