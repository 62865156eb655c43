"""The codes of the gate: what is wrong with how it is put before functions. PL080x."""

from __future__ import annotations

from typing import Final

from policylang.diagnostics import declare

UNDECLARED_ACTION: Final = declare(
    "PL0800", "action that no module declares", "{who} the action `{name}`"
)
UNDECIDED_PARAMETER: Final = declare(
    "PL0801",
    "parameter that nothing decides",
    "the parameter `{parameter}` of `{function}` is no field of `{action}`",
    hint="{hint}",
)
NO_PARAMETER: Final = declare(
    "PL0802",
    "field that a function does not take",
    "`{function}` has no parameter for the field `{field}` of `{action}`",
    hint='give it one, or say which is that field: `names={{"PARAMETER": "{field}"}}`',
)
OTHER_TYPE: Final = declare(
    "PL0803",
    "parameter of another type",
    "the parameter `{parameter}` of `{function}` is `{annotation}`, and `{field}` is {type}",
    hint="{hint}",
)
VARIABLE_PARAMETERS: Final = declare(
    "PL0804",
    "parameters without names",
    "`{function}` takes `{parameter}`, so that what it takes cannot be decided",
    hint="name its parameters, in the function itself or in one around it",
)
BAD_DEFAULT: Final = declare(
    "PL0805",
    "default that is no value of its field",
    "the default of `{parameter}` of `{function}` is no {type}",
    hint="a default is decided like every argument: give it a value of the field",
)
GENERATOR: Final = declare(
    "PL0806",
    "generator before which no gate can be",
    "`{function}` is a generator: it runs when it is iterated over, after the gate",
    hint="decide in the function that iterates over it",
)
UNKNOWN_PARAMETER: Final = declare(
    "PL0807", "parameter that is not there", "`{function}` has no parameter `{parameter}`"
)
NO_SUCH_FACT: Final = declare(
    "PL0808", "facts that no module declares", "no module declares the fact `{name}`"
)
