"""The checker: modules in, a program out, or what is wrong with them.

    checked = check([parse(source).module], load=standard_module)
    checked.program, checked.diagnostics

Every problem is a diagnostic; none stops at the first. A program is given where none of them is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from policylang.diagnostics import Diagnostic, Label, has_errors, in_source_order
from policylang.errors import InternalError
from policylang.facts.schema import Schema
from policylang.semantics import codes
from policylang.semantics.definitions import Definitions, lower_definitions
from policylang.semantics.digests import module_info, program_digest
from policylang.semantics.domains import Domains
from policylang.semantics.imports import check_imports
from policylang.semantics.lints import run_lints
from policylang.semantics.lints.bundle import LintedBundle
from policylang.semantics.lowering.limits import lower_limit
from policylang.semantics.lowering.rollouts import lower_rollout
from policylang.semantics.lowering.scenarios import Scenarios
from policylang.semantics.lowering.statements import Lowering
from policylang.semantics.names import ModuleNames, collect_names
from policylang.semantics.overrides import check_overrides
from policylang.semantics.program import Program, Rollout, Rule
from policylang.semantics.relations import declare_relations
from policylang.semantics.safety import circular
from policylang.semantics.scenario import Scenario
from policylang.semantics.strata import stratify
from policylang.semantics.targeting import with_targets
from policylang.semantics.world import World
from policylang.syntax import tree

Load = Callable[[str], "tree.Module | None"]
"""Finds a module of that name outside of the bundle, such as `std.approvals`; None where there is none."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `check` found: the program where there are no errors, and all diagnostics in source order.

    `modules` are those that were checked, loaded ones included; `scenarios` are their tests.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    modules: tuple[tree.Module, ...]
    scenarios: tuple[Scenario, ...] = ()


def resolve_modules(modules: Sequence[tree.Module], load: Load | None) -> tuple[tree.Module, ...]:
    """The modules, and after them those that they use and `load` finds, directly or not."""
    found = list(modules)
    names = {module.header.name.text for module in found if module.header is not None}
    position = 0
    while load is not None and position < len(found):
        for statement in found[position].statements:
            if isinstance(statement, tree.UseStatement) and statement.module.text not in names:
                names.add(statement.module.text)
                loaded = load(statement.module.text)
                if loaded is not None:
                    found.append(loaded)
        position += 1
    return tuple(found)


def check(
    modules: Sequence[tree.Module],
    *,
    load: Load | None = None,
    params: Mapping[str, object] | None = None,
    lost: Collection[str] = (),
    lints: bool = True,
) -> CheckResult:
    """Check the modules of a bundle, and those that they use and `load` finds.

    Raises `InternalError` where a statement would be dropped without an error.

    `params` overrides values of params, by qualified name or by a bare one that only one module
    declares, in the forms of requests. `lost` are the names that statements with broken syntax would
    have declared (`ParseResult.lost`): they are not reported as unknown, and there is no program. Without `lints` only errors are
    looked for, as where statements are missing, so that much would seem to be unused.
    """
    everything = resolve_modules(modules, load)
    problems: list[Diagnostic] = []
    distinct = tuple(_distinct(everything, problems, lost))
    names = collect_names(distinct, problems, frozenset(lost))
    world = World(names, problems, lost=frozenset(lost))
    check_imports(names, problems)
    domains = Domains(world)
    declare_relations(world, domains, params or {})
    definitions = lower_definitions(world, domains)
    rules = list(_lowered(world, domains, definitions))
    rollouts = _rollouts(world, domains)
    program = _program(world, distinct, definitions, rules, rollouts)
    scenarios = tuple(
        scenario
        for module in names.modules.values()
        for scenario in Scenarios(world, domains, module).all()
    )
    is_whole = not lost and not has_errors(problems)
    if is_whole:
        _nothing_is_dropped(world, program)
    if is_whole and lints:
        given = frozenset(m.header.name.text for m in modules if m.header is not None)
        problems.extend(run_lints(LintedBundle(world, with_targets(program), given)))
    found = in_source_order(problems)
    return CheckResult(program if is_whole else None, found, distinct, scenarios)


def _nothing_is_dropped(world: World, program: Program) -> None:
    """INVARIANT: without an error every statement is in the program; a rule lost unsaid could allow."""
    named = {rule.name for rule in program.rules}
    for module in world.names.modules.values():
        for symbol in module.rules.values():
            if symbol.name not in named:
                raise InternalError(f"the rule {symbol.name} was dropped without an error")
        for name, clauses in module.definitions.items():
            for number in range(1, len(clauses) + 1):
                if f"{module.name}.{name}/{number}" not in named:
                    raise InternalError(f"a clause of {module.name}.{name} was dropped")
        said = sum(isinstance(s, _OF_ROLLOUTS) for s in module.module.statements)
        if said != _kept(program.rollouts.get(module.name)):
            raise InternalError(f"a statement about the rollout of {module.name} was dropped")


_OF_ROLLOUTS = (tree.RolloutStatement, tree.CanaryStatement, tree.CriteriaStatement)


def _kept(rollout: Rollout | None) -> int:
    """How many statements are in what a module says about its rollout."""
    if rollout is None:
        return 0
    single = (rollout.key, rollout.canary)
    return sum(one is not None for one in single) + len(rollout.promote) + len(rollout.rollback)


def _rollouts(world: World, domains: Domains) -> dict[str, Rollout]:
    """What the modules say about their rollouts, by module; those that say nothing are left out."""
    found = (
        (module.name, lower_rollout(Lowering(world, domains, module)))
        for module in world.names.modules.values()
    )
    return {name: rollout for name, rollout in found if rollout is not None}


def _distinct(
    modules: Sequence[tree.Module], problems: list[Diagnostic], lost: Collection[str]
) -> Iterator[tree.Module]:
    """The modules with a header, each name once; a header may be among what is lost."""
    first: dict[str, tree.Module] = {}
    for module in modules:
        if module.header is None:
            if not lost:
                problems.append(codes.NO_HEADER.at(module.span.source.whole))
            continue
        name = module.header.name
        known = first.get(name.text)
        if known is None:
            first[name.text] = module
            yield module
        elif known.header is not None:
            labels = [Label(known.header.name.span, "first declared here")]
            problems.append(codes.DUPLICATE_MODULE.at(name.span, name=name.text, labels=labels))


def _lowered(world: World, domains: Domains, definitions: Definitions) -> Iterator[Rule]:
    """All rules, in the order of modules and of writing; those with problems are left out."""
    for module in world.names.modules.values():
        lowering = Lowering(world, domains, module)
        written: set[str] = set()
        for statement in module.module.statements:
            yield from _rules_of(world, lowering, definitions, statement, written)


def _rules_of(
    world: World,
    lowering: Lowering,
    definitions: Definitions,
    statement: tree.Statement,
    written: set[str],
) -> Iterator[Rule]:
    match statement:
        case tree.DefineStatement():
            name = statement.name.text
            if name not in written:
                written.add(name)
                yield from definitions.clauses.get(f"{lowering.module.name}.{name}", ())
        case tree.RuleStatement() if _is_first(lowering.module, statement):
            rule = lowering.rule(statement)
            if rule is not None:
                yield rule
        case tree.NeverStatement() if _is_first(lowering.module, statement):
            rule = lowering.never(statement)
            if rule is not None:
                yield rule
        case tree.LimitStatement() if _is_first(lowering.module, statement):
            limit = lower_limit(lowering, statement)
            if limit is not None:
                world.relations[limit.relation.name] = limit.relation
                world.histories.append(limit.history)
                yield limit.rule
        case _:
            pass


def _is_first(
    module: ModuleNames, statement: tree.RuleStatement | tree.NeverStatement | tree.LimitStatement
) -> bool:
    symbol = module.rules.get(statement.name.text)
    return symbol is not None and symbol.node is statement


def _program(
    world: World,
    modules: Sequence[tree.Module],
    definitions: Definitions,
    rules: Sequence[Rule],
    rollouts: Mapping[str, Rollout],
) -> Program:
    canaries = tuple(r.canary for r in rollouts.values() if r.canary is not None)
    for rule in (*rules, *canaries):
        world.problems.extend(circular(rule))
    check_overrides(rules, world.names, world.problems)
    predicates, both = stratify(definitions.predicates, (*rules, *canaries), world.problems)
    layered, targets = both[: len(rules)], {rule.name: rule for rule in both[len(rules) :]}
    infos = tuple(module_info(module) for module in modules)
    schema = Schema(
        relations=world.relations,
        params=world.params,
        decisions=world.decisions,
        histories=tuple(world.histories),
    )
    return Program(
        modules=infos,
        schema=schema,
        predicates=predicates,
        rules=layered,
        tables=world.tables,
        groups=world.groups,
        digest=program_digest(infos, world.params),
        rollouts={
            name: replace(r, canary=targets[r.canary.name]) if r.canary is not None else r
            for name, r in rollouts.items()
        },
    )
