"""Loading a bundle: from where its modules lie to a checked program that is ready to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from typing import Final

from policylang.bundle.bundle import Bundle, make_bundle
from policylang.bundle.cache import Kept, ProgramCache, digest_of
from policylang.bundle.evaluators import EvaluatorName
from policylang.bundle.reference import Given
from policylang.bundle.sources import Location, name_of, read_modules
from policylang.bundle.verifying import OnIncident, Verify
from policylang.diagnostics import Diagnostic, Source, has_errors
from policylang.errors import InternalError, PolicyInvalid
from policylang.evaluate.firings import Limits
from policylang.facts.border import utc_now
from policylang.facts.plans import Clock
from policylang.packaged import STDLIB_PREFIX, stdlib_source
from policylang.semantics.checker import CheckResult, check
from policylang.syntax import decode_source, parse
from policylang.syntax.tree import Module

DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a bundle gave: the checker's result, and every diagnostic, of files and syntax too.

    `diagnostics` are in the order of the files; `result.program` is there where none of them is an error.
    """

    result: CheckResult
    diagnostics: tuple[Diagnostic, ...]
    files: int

    @property
    def has_errors(self) -> bool:
        """Whether there is no program."""
        return has_errors(self.diagnostics)


def check_bundle(*locations: Location, params: Mapping[str, object] | None = None) -> Checked:
    """Check the modules at the locations as one bundle. Never raises for what the files contain."""
    return check_sources(read_modules(*locations), params=params)


def check_sources(
    sources: Iterable[Source | Diagnostic], *, params: Mapping[str, object] | None = None
) -> Checked:
    """Check sources as one bundle; a diagnostic among them is a file that could not be read."""
    diagnostics: list[Diagnostic] = []
    modules: list[Module] = []
    lost: set[str] = set()
    files = 0
    diagnosed: list[str] = []
    for source in sources:
        files += 1
        diagnosed.append(name_of(source))
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            continue
        parsed = parse(source)
        diagnostics.extend(parsed.diagnostics)
        lost |= parsed.lost
        if parsed.module is not None:
            modules.append(parsed.module)
    whole = not has_errors(diagnostics)
    result = check(modules, load=standard_module, params=params, lost=lost, lints=whole)
    found = _by_place((*diagnostics, *result.diagnostics), diagnosed)
    return Checked(result, found, files)


def _by_place(found: Iterable[Diagnostic], files: Sequence[str]) -> tuple[Diagnostic, ...]:
    """The diagnostics in the order of the files, and in each from its top, whoever has found them."""

    def place(diagnostic: Diagnostic) -> tuple[int, int]:
        if diagnostic.span is None:
            return -1, 0
        name = diagnostic.span.source.name
        return order.get(name, len(files)), diagnostic.span.start

    order = {name: i for i, name in enumerate(files)}
    return tuple(sorted(found, key=place))


def load(
    *locations: Location,
    params: Mapping[str, object] | None = None,
    reference: Mapping[str, Given] | None = None,
    evaluator: EvaluatorName = "auto",
    limits: Limits = DEFAULT_LIMITS,
    clock: Clock = utc_now,
    verify: float = 0.0,
    on_incident: OnIncident | None = None,
    cache: str | PathLike[str] | None = None,
) -> Bundle:
    """Load a bundle from files, folders or resources of a package.

    `params` overrides values of params by name, in the forms of requests. `reference` gives the rows of reference
    facts by name (rows, or the path of a data file), in place of the file that their declaration names.
    `evaluator` is `asp` (clingo), `plan` (compiled), or `auto`, which picks the fastest that can take the
    program. `limits` bound each evaluation. `clock` gives `now` where a request leaves it out.
    `verify` is the share of decisions of the compiled plan, from 0 to 1, that clingo evaluates again in a thread of
    its own: where it answers otherwise, that is one of `Bundle.verifier.incidents` and `on_incident` is called with it. The
    answer stays as it was. Of decisions made by other processes (`jobs`), clingo evaluates the sample in this one.
    `cache` is a folder for checked programs, which belongs to this user alone: modules that did not change are not parsed and
    checked again. What is in it and cannot be used is passed over.

    Raises `PolicyInvalid` with every diagnostic where a module or the data has errors.

    >>> from importlib.resources import files
    >>> bundle = load(files("policylang.cli") / "project", params={"auto_limit": "50.00"})
    >>> [(module.name, module.version) for module in bundle.program.modules]
    [('refunds', '1.0.0')]
    """
    sources = list(read_modules(*locations))
    if cache is None:
        checked = check_sources(sources, params=params)
    else:
        checked = _checked_before(ProgramCache(cache), sources, params)
    return _ready(checked, reference, evaluator, limits, clock, Verify(verify, on_incident))


def loads(
    *texts: str,
    name: str = "<policy>",
    params: Mapping[str, object] | None = None,
    reference: Mapping[str, Given] | None = None,
    evaluator: EvaluatorName = "auto",
    limits: Limits = DEFAULT_LIMITS,
    clock: Clock = utc_now,
    verify: float = 0.0,
    on_incident: OnIncident | None = None,
) -> Bundle:
    """Load a bundle from the texts of its modules; `name` is what diagnostics call them. See `load`.

    >>> bundle = loads('''
    ... module shop version "1.0.0"
    ... action refund { amount: Decimal(2) }
    ... rule small: allow refund if refund.amount <= 20.00 because "{refund.amount} is small"
    ... ''')
    >>> decision = bundle.decide({"action": "refund", "args": {"amount": "12.50"}})
    >>> decision.outcome.value, decision.reasons[0].message
    ('allow', '12.50 is small')
    """
    sources = [Source(_numbered(name, i, texts), text) for i, text in enumerate(texts, start=1)]
    checked = check_sources(sources, params=params)
    return _ready(checked, reference, evaluator, limits, clock, Verify(verify, on_incident))


def _checked_before(
    cache: ProgramCache,
    sources: Sequence[Source | Diagnostic],
    params: Mapping[str, object] | None,
) -> Checked:
    """What checking the sources gives, from the cache where it is there; kept there where it has no errors."""
    texts = [source for source in sources if isinstance(source, Source)]
    digest = digest_of(texts, params) if len(texts) == len(sources) else None
    kept = None if digest is None else cache.read(digest)
    if kept is not None:
        result = CheckResult(kept.program, kept.diagnostics, (), kept.scenarios)
        return Checked(result, kept.diagnostics, kept.files)
    checked = check_sources(sources, params=params)
    program = checked.result.program
    if digest is not None and program is not None and not checked.has_errors:
        scenarios = checked.result.scenarios
        cache.write(digest, Kept(program, checked.diagnostics, scenarios, checked.files))
    return checked


def _numbered(name: str, number: int, texts: Sequence[str]) -> str:
    return name if len(texts) == 1 else f"{name}:{number}"


def _ready(
    checked: Checked,
    reference: Mapping[str, Given] | None,
    evaluator: EvaluatorName,
    limits: Limits,
    clock: Clock,
    verify: Verify,
) -> Bundle:
    if checked.result.program is None or checked.has_errors:
        raise PolicyInvalid(checked.diagnostics)
    return make_bundle(
        checked.result, checked.diagnostics, reference or {}, evaluator, limits, clock, verify
    )


@lru_cache(maxsize=64)
def standard_module(name: str) -> Module | None:
    """The module of the standard library of that name (`std.approvals`), or None where there is none."""
    prefix, _, rest = name.partition(".")
    if prefix != STDLIB_PREFIX:
        return None
    content = stdlib_source(rest)
    if content is None:
        return None
    source = decode_source(content, f"{name}.policy")
    parsed = parse(source) if isinstance(source, Source) else None
    if parsed is None or parsed.module is None or has_errors(parsed.diagnostics):
        raise InternalError(f"the standard module {name} does not parse")
    return parsed.module
