"""The codes of requests and facts: PL06xx.

`message` says what is wrong with the one value, without its path: `Problem` puts the path before it.
"""

from __future__ import annotations

from typing import Final

from policylang.diagnostics import declare

NOT_JSON: Final = declare("PL0601", "not JSON", "this is not JSON: {detail}")
DUPLICATE_MEMBER: Final = declare("PL0602", "a key given twice", "a key is given twice: {detail}")
BAD_SHAPE: Final = declare(
    "PL0603", "not a request", "{received} stands where {expected} is expected"
)
UNKNOWN_ACTION: Final = declare(
    "PL0604", "unknown action", "no module declares the action {received}"
)
UNKNOWN_FACT: Final = declare("PL0605", "unknown fact", "no module declares this fact")
UNKNOWN_FIELD: Final = declare("PL0606", "unknown field", "this field is not declared")
MISSING_FIELD: Final = declare(
    "PL0607", "missing field", "{expected} is expected, and nothing is given"
)
MISSING_FACT: Final = declare("PL0608", "missing fact", "the request lacks this fact")
WRONG_TYPE: Final = declare("PL0609", "wrong type", "{received} is no {expected}")
MALFORMED: Final = declare("PL0610", "malformed value", "{received} is no {expected}: {detail}")
OUT_OF_RANGE: Final = declare("PL0611", "out of range", "{received} is no {expected}")
TOO_MANY_PLACES: Final = declare(
    "PL0612", "too many places", "{received} has too many places for {expected}"
)
TOO_MANY_DIGITS: Final = declare(
    "PL0613", "too many digits", "{received} has too many digits for {expected}"
)
TOO_LONG: Final = declare("PL0614", "too long", "{received} is longer than {expected} may be")
UNKNOWN_MEMBER: Final = declare("PL0615", "unknown enum member", "{received} is no {expected}")
FORBIDDEN_CHARACTER: Final = declare(
    "PL0616", "forbidden character", "{received} holds a character that no text may hold: {detail}"
)
NULL: Final = declare("PL0617", "null for a value", "null stands where {expected} is expected")
TOO_MANY_ROWS: Final = declare(
    "PL0618", "more than one row", "one row is expected, and {received} are given"
)
DUPLICATE_KEY: Final = declare(
    "PL0619", "two rows with one key", "the key {received} is that of an earlier row"
)
DANGLING_REFERENCE: Final = declare(
    "PL0620", "dangling reference", "no row of `{detail}` has the key {received}"
)
LESSER_SOURCE: Final = declare(
    "PL0621",
    "a source that is not trusted enough",
    "this comes from {received}, and {expected} is declared",
)
AMBIGUOUS: Final = declare(
    "PL0622", "ambiguous value", "{received} can be read in two ways: {detail}"
)
INCOMPLETE_HISTORY: Final = declare(
    "PL0623",
    "incomplete history",
    "the limit `{detail}` counts this call and has to know this field",
)
AMBIGUOUS_NAME: Final = declare(
    "PL0624", "ambiguous name", "several modules declare this name: {detail}"
)
NOT_FINITE: Final = declare("PL0625", "not a finite number", "{received} is no finite number")
REFERENCE_IN_REQUEST: Final = declare(
    "PL0626",
    "reference data in a request",
    "this is reference data, which no request may give",
    hint="leave it out: the bundle has its rows",
)
INEXACT_FLOAT: Final = declare(
    "PL0627",
    "an inexact number",
    "{received} is a binary float with more digits than it holds exactly",
)
UNKNOWN_DECISION: Final = declare(
    "PL0629", "unknown decision", "no module declares the decision {received}"
)
GIVEN_TWICE: Final = declare(
    "PL0628", "given twice", "this is given twice in the request", hint="give it once"
)

UNREADABLE_FILE: Final = declare("PL0640", "unreadable data", "{name} cannot be read: {detail}")
BAD_ROW: Final = declare("PL0643", "bad row", "{detail}")
SOURCE_FAILED: Final = declare(
    "PL0644", "a source of facts failed", "the source {name} failed: {detail}"
)
SOURCE_TIMEOUT: Final = declare(
    "PL0645", "a source of facts took too long", "the source {name} gave no answer within {detail}"
)
