"""The codes of everything the checker says, each declared once.

PL02xx names, PL03xx types, PL04xx safety, strata, missing values and overrides, PL05xx lints.
"""

from __future__ import annotations

from policylang.diagnostics import Code, Severity, declare

# --- names ---------------------------------------------------------------------------------------

UNKNOWN_NAME = declare(
    "PL0201", "unknown name", "unknown {what} `{name}`", label="not declared {where}"
)
DUPLICATE_NAME = declare(
    "PL0202", "name declared twice", "`{name}` is declared twice", label="declared again here"
)
UNKNOWN_FIELD = declare(
    "PL0203", "unknown field", "{owner} has no field `{name}`", label="no such field"
)
UNKNOWN_MEMBER = declare(
    "PL0204", "unknown enum member", "`{enum}` has no member `{name}`", label="no such member"
)
MISSING_MODULE = declare(
    "PL0205", "missing module", "module `{name}` is not part of this bundle", label="not found"
)
IMPORT_CYCLE = declare(
    "PL0206", "import cycle", "modules use each other in a circle: {cycle}", label="used here"
)
SELF_IMPORT = declare(
    "PL0207",
    "module uses itself",
    "module `{name}` uses itself",
    label="this is the module itself",
    hint="remove the line: a module's own names need no `use`",
)
DUPLICATE_MODULE = declare(
    "PL0208",
    "two modules of one name",
    "two modules are called `{name}`",
    label="declared again here",
)
NO_HEADER = declare(
    "PL0209",
    "missing module header",
    "this file has no `module` line",
    hint="start it with `module NAME`",
)
AMBIGUOUS_NAME = declare(
    "PL0210", "ambiguous name", "`{name}` can be {one} or {other}", label="which one is meant?"
)
WRONG_KIND = declare(
    "PL0211",
    "wrong kind of name",
    "`{name}` is {found}, and {wanted} is expected here",
    label="{found}",
)
RESERVED_NAME = declare(
    "PL0212",
    "reserved name",
    "`{name}` cannot be declared: it is {reason}",
    label="choose another name",
)
UNKNOWN_RULE = declare(
    "PL0213",
    "unknown rule",
    "unknown rule `{name}`",
    label="no rule, limit or invariant of this name",
)
UNKNOWN_NORMALIZER = declare(
    "PL0214", "unknown normalizer", "unknown normalizer `{name}`", label="not in the list"
)
GROUP_CYCLE = declare(
    "PL0215",
    "action group contains itself",
    "the action group `{name}` contains itself: {cycle}",
    label="this leads back",
)
TYPE_CYCLE = declare(
    "PL0216",
    "type defined by itself",
    "{what} `{name}` is defined by itself: {cycle}",
    label="this leads back",
)

# --- types ---------------------------------------------------------------------------------------

TYPE_MISMATCH = declare(
    "PL0301", "types do not fit", "{what} is {found}, and {wanted} is expected", label="{found}"
)
NOT_COMPARABLE = declare(
    "PL0302",
    "values that cannot be compared",
    "`{operator}` cannot compare {left} with {right}",
    label="{left} on the left, {right} on the right",
)
BAD_OPERAND = declare(
    "PL0303",
    "operator on wrong types",
    "`{operator}` does not take {found} here: it needs {wanted}",
    label="{found}",
)
NOT_A_CONDITION = declare(
    "PL0304",
    "not a condition",
    "{what} is {found}, not a condition",
    label="a condition is expected here",
)
NOT_A_VALUE = declare(
    "PL0305", "not a value", "{what} has no value", label="a value is expected here"
)
OUT_OF_RANGE = declare(
    "PL0306",
    "value outside its type",
    "{value} is not {wanted}",
    label="outside what the type allows",
)
BAD_LITERAL = declare(
    "PL0307", "malformed value", "`{value}` is not {wanted}", label="not {wanted}"
)
WRONG_ARGUMENT_COUNT = declare(
    "PL0308",
    "wrong number of arguments",
    "`{name}` takes {wanted}, and {found} given",
    label="{found} given",
)
MIXED_ARGUMENTS = declare(
    "PL0309",
    "arguments by name and by position",
    "arguments are given by name and by position",
    label="this one has {this}",
    hint="give all by name, or all in order",
)
DUPLICATE_ARGUMENT = declare(
    "PL0310", "argument given twice", "`{name}` is given twice", label="given again here"
)
NOT_CONSTANT = declare(
    "PL0311", "not a constant", "{what} has to be a constant", label="not a constant"
)
MANY_ROWS = declare(
    "PL0312",
    "path into many rows",
    "`{name}` may have many rows, so `{path}` is not one value",
    label="which row?",
)
NO_FIELDS = declare(
    "PL0313",
    "path into a value without fields",
    "`{path}` is {found}, which has no fields",
    label="nothing can follow here",
)
UNKNOWN_TYPE_OF = declare(
    "PL0314",
    "type cannot be told",
    "the type of {what} cannot be told from the policy",
    label="nothing says what this is",
)
BAD_TYPE = declare("PL0315", "type that cannot be", "{problem}", label="{label}")
WRONG_CELL_COUNT = declare(
    "PL0316",
    "row of the wrong length",
    "this row has {found}, and `{name}` has {wanted}",
    label="{found}",
)
BAD_TEMPLATE = declare("PL0317", "blank that cannot be filled", "{problem}", label="{label}")
BAD_EFFECT = declare("PL0318", "effect that cannot be", "{problem}", label="{label}")
CONFLICTING_TYPES = declare(
    "PL0319",
    "variable of two types",
    "{name} is {first} and {second} at once",
    label="{second} here",
)
BAD_LIMIT = declare("PL0320", "limit that cannot be counted", "{problem}", label="{label}")
BAD_TEST = declare("PL0321", "test that cannot run", "{problem}", label="{label}")
UNKNOWN_ZONE = declare(
    "PL0322",
    "unknown time zone",
    "`{name}` is not a time zone",
    label="not an IANA zone",
    hint='write an IANA name, such as `"Europe/Paris"` or `"UTC"`',
)
BAD_PARAM = declare("PL0323", "parameter that cannot be set", "{problem}", label="{label}")
DUPLICATE_KEY = declare(
    "PL0324",
    "two rows with one key",
    "two rows of `{name}` have the key {value}",
    label="the same key again",
)

NAMED_ARGUMENT = declare(
    "PL0325",
    "argument by name where names mean nothing",
    "the arguments of `{name}` have no names",
    label="given by name",
)

# --- rollouts --------------------------------------------------------------------------------------

BAD_ROLLOUT_KEY = declare(
    "PL0326",
    "key that slices nothing",
    "{problem}",
    label="{label}",
    hint="write a field of an action or of a single fact, such as `rollout by refund.customer_id`",
)
REPEATED_ROLLOUT = declare(
    "PL0327", "said twice of one rollout", "`{what}` is said twice", label="said again here"
)
UNKNOWN_MEASURE = declare(
    "PL0328", "unknown measure", "`{name}` is no measure of a rollout", label="not counted"
)
BAD_CRITERION = declare("PL0329", "criterion that cannot be checked", "{problem}")
BAD_STAGE = declare(
    "PL0330",
    "criteria of a stage that has none",
    "there is no `{purpose} when {stage}`",
    label="no such stage of a rollout",
)

# --- safety, strata, missing values, overrides -----------------------------------------------------

UNBOUND_VARIABLE = declare(
    "PL0401", "unbound variable", "variable `{name}` is not bound", label="no value to take"
)
CIRCULAR_BINDING = declare(
    "PL0402",
    "variables that depend on each other",
    "{what} depends on itself",
    label="needs a value that comes from here",
    hint="bind {names} beside it, with a fact, a definition or `==`",
)
UNSTRATIFIED = declare(
    "PL0403",
    "cycle through a negation",
    "`{name}` depends on its own {through}: {cycle}",
    label="through this {through}",
)
GROWING_RECURSION = declare(
    "PL0404",
    "recursion that may never end",
    "`{name}` is recursive and computes new values with `{operator}`",
    label="a new value in every round",
    hint="recursion may only carry values that are in the facts: count or add up afterwards",
)
OVERRIDES_CYCLE = declare(
    "PL0405",
    "rules that override each other",
    "rules override each other in a circle: {cycle}",
    hint="say which of them gives way, and drop the other `overrides`",
)
BAD_OVERRIDE = declare("PL0406", "override that cannot be", "{problem}", label="{label}")
MAY_BE_MISSING = declare(
    "PL0407",
    "effect that could vanish",
    "{what} may be missing, and the {statement} would then vanish",
    label="may be missing",
)

# --- lints -------------------------------------------------------------------------------------------


def _lint(code: str, title: str, message: str, label: str, hint: str | None = None) -> Code:
    return declare(code, title, message, label=label, hint=hint, severity=Severity.WARNING)


_UNREAD = "remove it, or write the rule that reads it: as it is, it changes no decision"

UNUSED_IMPORT = _lint(
    "PL0501", "unused import", "nothing here uses `{name}`", "never mentioned", "remove the line"
)
UNREAD_FACT = _lint(
    "PL0502",
    "fact that nothing reads",
    "no rule reads {what} `{name}`",
    "never read",
    _UNREAD,
)
UNREAD_PARAM = _lint(
    "PL0503", "param that nothing reads", "no rule reads the param `{name}`", "never read", _UNREAD
)
UNREAD_DEFINITION = _lint(
    "PL0504",
    "definition that nothing reads",
    "no rule reads the definition `{name}`",
    "never read",
    _UNREAD,
)
NOTHING_ALLOWS = _lint(
    "PL0505",
    "action that nothing allows",
    "no rule allows `{name}`",
    "always denied",
    "write `rule NAME: allow {name} if ...`",
)
UNMENTIONED_MEMBER = _lint(
    "PL0506",
    "enum member that no rule mentions",
    "no rule mentions `{name}` of `{enum}`",
    "not thought of?",
    "write what holds for it, or speak of all the others, such as with `!=`",
)
MEMBER_WITHOUT_ROW = _lint(
    "PL0507",
    "enum member without a row",
    "the table `{table}` has no row for `{name}`",
    "no row for `{name}` below",
    "add a row for it: a rule that looks it up does not fire",
)
NEVER_FIRES = _lint(
    "PL0508", "rule that can never fire", "`{name}` can never {verb}: {why}", "never holds here"
)
ALWAYS_TRUE = _lint(
    "PL0509", "comparison that always holds", "`{text}` always holds: {why}", "always true"
)
ALWAYS_FALSE = _lint(
    "PL0510", "comparison that never holds", "`{text}` never holds: {why}", "always false"
)
COVERED_RULE = _lint(
    "PL0511",
    "rule that another covers",
    "`{name}` adds nothing: `{other}` {verb} whenever it does",
    "covered",
    "remove it, or change the condition of one of them",
)
OPTIONAL_IN_NEGATION = _lint(
    "PL0512",
    "optional value under a negation",
    "`{path}` may be missing, and `{text}` {verb} then",
    "may be missing",
    "write `{path} is present and ...`, or `{path} is missing or ...`, to say which is meant",
)
OPTIONAL_IN_DENY = _lint(
    "PL0513",
    "deny rule that reads an optional value",
    "`{path}` may be missing, and `{name}` does not deny then",
    "may be missing",
    "write `{path} is present and ...` where that is meant, or deny where `{path} is missing`",
)
LOCAL_TWICE = _lint(
    "PL0514",
    "one name in two negations",
    "`{name}` in these negations are different variables",
    "this one is local to its `not`",
    "bind `{name}` outside where the same is meant; else give one of them another name",
)
VARIABLE_ALONE = _lint(
    "PL0515",
    "comparison with a variable that stands nowhere else",
    "`{name}` is a variable here, and the comparison holds whatever the value is",
    "a name with a capital is a variable",
)
MISSPELLED_TERM = _lint(
    "PL0516",
    "argument that is nearly a term of an approval",
    "`{name}` is only shown to the approver: the term is called `{term}`",
    "not `{term}`",
    "write `{term}`, or another name that is not so close to it",
)
