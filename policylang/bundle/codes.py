"""The diagnostics of bundles: PL002x."""

from policylang.diagnostics import Severity, declare

NO_MODULES = declare(
    "PL0020",
    "no modules",
    "`{name}` holds no modules",
    hint="a module is a file whose name ends in `.policy`",
)
TOO_MANY_MODULES = declare(
    "PL0021",
    "too many modules",
    "`{name}` holds more than {most} modules",
    hint="load the folders that belong together, one bundle each",
)
UNKNOWN_REFERENCE = declare(
    "PL0022",
    "unknown reference data",
    "reference data is given for `{name}`, which no module declares",
)
AMBIGUOUS_REFERENCE = declare(
    "PL0023",
    "ambiguous reference data",
    "reference data is given for `{name}`, which several modules declare",
    hint="write {several}",
)
REFERENCE_NOT_ROWS = declare(
    "PL0024",
    "reference data for a single fact",
    "reference data is given for `{name}`, which is a single fact of each request",
    hint="declare it as `facts {name}`",
)
UNKNOWN_PLAN = declare(
    "PL0025",
    "program that cannot be compiled to a plan",
    "this program cannot be compiled to a plan: {reason}",
    hint="load it with the evaluator `auto` or `asp`",
)
LEFT_TO_CLINGO = declare(
    "PL0028",
    "program that only clingo takes",
    "clingo decides by this program, since no plan can be made of it: {why}",
    severity=Severity.NOTE,
    hint="the answers are the same, and take some hundred times as long: several smaller rules make a plan",
)
UNREADABLE_SETTINGS = declare(
    "PL0026",
    "settings that cannot be read",
    "`{name}` cannot be read: {problem}",
    hint="correct it, or remove it: no command runs without the settings of its project",
)
WRONG_SETTINGS = declare(
    "PL0027", "wrong settings", "`{name}`, `{place}`: {problem}", hint="{known}"
)

NOT_AN_ATOM = declare(
    "PL0030",
    "not an atom",
    "`{text}` is not an atom{reason}",
    hint='write a name with its arguments, such as `suspicious("c1")` or `linked(a: "c1")`',
)
UNKNOWN_ATOM = declare(
    "PL0031", "unknown atom", "no module declares a definition or a fact `{name}`"
)
AMBIGUOUS_ATOM = declare(
    "PL0032", "ambiguous atom", "several modules declare `{name}`", hint="write {several}"
)
TOO_MANY_ARGUMENTS = declare(
    "PL0033", "too many arguments", "`{name}` has {most}, and {given} given"
)
UNKNOWN_ATOM_FIELD = declare("PL0034", "unknown field", "`{name}` has no field `{field}`")
UNFIT_ARGUMENT = declare(
    "PL0035", "argument of another type", "`{text}` is not {type}, which {place} is"
)
NOTHING_TO_ASK = declare("PL0036", "nothing was evaluated", "no rule was evaluated: {reason}")
