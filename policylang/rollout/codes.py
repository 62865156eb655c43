"""The diagnostics of rollouts: PL090x versions, PL091x steps and their guards."""

from policylang.diagnostics import declare

NO_VERSION = declare(
    "PL0901",
    "module without a version",
    "the module `{name}` has no version, so it cannot be published",
    label="no version",
    hint='write `module {name} version "1.0.0"`',
)
VERSION_TAKEN = declare(
    "PL0902",
    "version that is taken",
    "`{name}` {version} is published already, with another content",
    hint="a version never changes: publish what is new under another version",
)
UNKNOWN_VERSION = declare(
    "PL0903", "unknown version", "no version `{version}` of `{name}` is published"
)
UNKNOWN_MODULE = declare("PL0904", "unknown module", "no module `{name}` is published")
BAD_NAME = declare(
    "PL0905",
    "not a name of a version",
    "`{text}` is not the name of a version",
    hint="write MODULE@VERSION, such as `refunds@1.4.0`",
)
NOTHING_TO_PUBLISH = declare(
    "PL0906",
    "nothing to publish",
    "the bundle holds standard modules alone",
    hint="standard modules come with policylang, and are not published",
)
NOTHING_ACTIVE = declare(
    "PL0907",
    "nothing is active",
    "no module of this store is active",
    hint="publish a version and make it active: `policylang rollout start MODULE@VERSION --stage active`",
)
DOES_NOT_COMPOSE = declare(
    "PL0908",
    "active modules that are no program",
    "the active modules do not make a program: {reason}",
    hint="roll back the module that it speaks of: `policylang rollout rollback MODULE`",
)
ALTERED = declare(
    "PL0909",
    "version that was altered",
    "the text of `{name}` {version} in the store is not the one that was published",
    hint="the record of its publication in the chain has the text; roll back to another version",
)

REFUSED_STEP = declare(
    "PL0911",
    "refused step",
    "{step} of `{name}` {version} is refused by the guard `{guard}`: {reason}",
)
"""Every refused transition; `guard` is one of `policylang.rollout.guards.Guard`."""
BAD_SLICE = declare(
    "PL0912",
    "not a slice",
    "`{text}` is not a share of requests",
    hint="write a percentage from 0.1% to 100%, in steps of 0.1%",
)
BAD_KEY = declare(
    "PL0913",
    "not a key of requests",
    "`{text}` is not a field that a request has once: {reason}",
    hint="write ACTION.FIELD or FACT.FIELD, such as `refund.customer_id`",
)

NO_CANDIDATE = declare(
    "PL0920",
    "module without a candidate",
    "no version of `{name}` is in shadow or canary",
    hint="name the version to see a report of what is over: `policylang rollout report {name}@VERSION`",
)
NEVER_COMPARED = declare(
    "PL0921",
    "nothing to report on",
    "`{name}` never was in {where}",
    hint="a version is compared with what is live while it is in shadow or canary",
)
