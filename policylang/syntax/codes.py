"""The diagnostics of files and of syntax: PL00xx and PL01xx."""

from policylang.diagnostics import Severity, declare

# --- files ---------------------------------------------------------------------------------------

UNREADABLE_FILE = declare("PL0001", "file cannot be read", "cannot read `{name}`: {problem}")
NOT_UTF8 = declare(
    "PL0002",
    "file is not UTF-8",
    "`{name}` is not UTF-8: byte {byte} at offset {offset}",
    hint="save the file as UTF-8",
)
FILE_TOO_LARGE = declare(
    "PL0003",
    "file is too large",
    "`{name}` is larger than {limit} bytes",
    hint='split it into several modules; rows belong in a data file: `facts NAME from "FILE" {{ ... }}`',
)
CONTROL_CHARACTER = declare(
    "PL0004",
    "control character",
    "a policy may not contain the control character {character}",
    label="not allowed here",
    hint="remove it; in a string, write the escape `{escape}`",
)
EMPTY_FILE = declare(
    "PL0005",
    "file is empty",
    "`{name}` contains no statements",
    hint='a module starts with `module NAME version "1.0.0"`',
)
HIDDEN_CHARACTER = declare(
    "PL0006",
    "character that reorders text",
    "a policy may not contain {character}, which changes the order in which text is shown",
    label="invisible, and makes what is read differ from what is meant",
    hint="remove it; in a string, write the escape `{escape}`",
)
UNWRITABLE_FILE = declare("PL0007", "file cannot be written", "cannot write `{name}`: {problem}")

# --- tokens --------------------------------------------------------------------------------------

UNEXPECTED_CHARACTER = declare(
    "PL0101", "unexpected character", "`{character}` has no meaning in a policy"
)
FOREIGN_OPERATOR = declare(
    "PL0102",
    "operator of another language",
    "`{found}` is not an operator of the policy language",
    hint="write `{meant}`",
)
FOREIGN_MARK = declare(
    "PL0103", "mark of another language", "`{found}` has no meaning in a policy", hint="{advice}"
)
SINGLE_QUOTES = declare(
    "PL0104", "single quotes", "strings are written in double quotes", hint='write "{text}"'
)
UNCLOSED_STRING = declare(
    "PL0105",
    "string is not closed",
    "this string has no closing quote on its line",
    label="opened here",
    hint="a string ends on the line where it starts; write `\\n` for a line break",
)
BAD_ESCAPE = declare(
    "PL0106", "unknown escape", "`{escape}` is not an escape of strings", hint="{advice}"
)
MALFORMED_NUMBER = declare(
    "PL0107", "malformed number", "`{text}` is not a number of the policy language", hint="{advice}"
)
BAD_MOMENT = declare(
    "PL0108", "impossible date, time or duration", "`{text}` is not {kind}: {problem}"
)
BAD_NAME = declare("PL0109", "malformed name", "{text} is not a name", hint="{advice}")

# --- structure -----------------------------------------------------------------------------------

UNEXPECTED = declare("PL0110", "unexpected text", "expected {expected}, found {found}")
NOT_A_STATEMENT = declare(
    "PL0111",
    "text outside of statements",
    "{found} does not start a statement",
    hint="statements start with a keyword such as `rule`, `fact`, `define` or `test`",
)
UNCLOSED = declare(
    "PL0112", "bracket is not closed", "this `{opening}` is never closed", label="opened here"
)
UNOPENED = declare(
    "PL0113", "bracket closes nothing", "this `{closing}` closes nothing that was opened"
)
TOO_DEEP = declare(
    "PL0114",
    "nested too deep",
    "this is nested more than {limit} deep",
    hint="give a part of it a name with `define`",
)
TOO_LONG_PATH = declare("PL0115", "path is too long", "a path has at most {limit} names")
KEYWORD_AS_NAME = declare(
    "PL0116",
    "keyword where a name stands",
    "`{word}` is a keyword, and {expected} is expected here",
    hint="choose another name, or write it in backticks: `` `{word}` ``",
)
CAPITAL_NAME = declare(
    "PL0117",
    "capital where a name stands",
    "`{word}` starts with a capital, which makes it a variable or a type",
    hint="write `{meant}`, or put the name in backticks",
)
TYPE_NAME = declare(
    "PL0118",
    "type without a capital",
    "the name of a type or enum starts with a capital",
    hint="write `{meant}`, or put the name in backticks",
)
SINGLE_EQUALS = declare(
    "PL0119",
    "`=` in a condition",
    "`=` does not compare",
    hint="write `==`",
)
CHAINED_COMPARISON = declare(
    "PL0120",
    "chained comparison",
    "comparisons do not chain",
    hint="write two comparisons with `and`, or `X in LOW .. HIGH`",
)
MISSING_IF = declare(
    "PL0121",
    "condition without `if`",
    "expected `if` before a condition, found {found}",
    hint="write `if` before the condition",
)
MISSING_COMMA = declare(
    "PL0122",
    "missing comma",
    "expected `,` before {found}",
    hint="put a `,` before it",
)
NO_ELSE = declare(
    "PL0123",
    "`else` in a rule",
    "rules have no `else`",
    hint="write a second rule whose condition is the negation: `if not (...)`",
)
REPEATED_CLAUSE = declare(
    "PL0124",
    "clause given twice",
    "`{clause}` is given twice",
    label="given again here",
)
MISPLACED_CLAUSE = declare(
    "PL0125", "clause that does not belong here", "{what} cannot have `{clause}`"
)
UNKNOWN_WORD = declare("PL0126", "unknown word", "`{word}` is not {kind}")
NEVER_WITHOUT_CONDITION = declare(
    "PL0127",
    "`never` without a condition",
    "a `never` says under which condition its effect must not happen",
    hint="add `if` and a condition",
)
BAD_AGGREGATE = declare("PL0128", "malformed aggregate", "{problem}", hint="{advice}")
BAD_TEMPLATE = declare("PL0129", "malformed template", "{problem}", hint="{advice}")
SECOND_HEADER = declare(
    "PL0130",
    "misplaced module header",
    "`module` stands once, before every other statement",
    hint="one file is one module",
)
LOOSE_DOC = declare(
    "PL0131",
    "doc comment without its thing",
    "this doc comment belongs to nothing",
    severity=Severity.WARNING,
    hint="put it on its own line before a statement, field, enum member or row; or write one `#`",
)
BAD_TYPE = declare("PL0132", "malformed type", "{problem}", hint="{advice}")
EMPTY_ENUM = declare(
    "PL0133", "enum without members", "an enum has at least one member", hint="write `{{ a, b }}`"
)
BAD_EXPECTATION = declare("PL0134", "malformed expectation", "{problem}", hint="{advice}")
