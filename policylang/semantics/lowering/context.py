"""What the lowering of one rule knows: its variables and their types, and the scopes of its bodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.facts.types import Type
from policylang.semantics import codes
from policylang.semantics.domains import Domains
from policylang.semantics.lowering.binding import Binding
from policylang.semantics.names import ModuleNames
from policylang.semantics.operations import unify
from policylang.semantics.origins import origin_of
from policylang.semantics.program import Body, Literal, Origin, Variable
from policylang.semantics.words import a_type
from policylang.semantics.world import World
from policylang.syntax import tree


@dataclass(slots=True)
class RuleContext:
    """One rule in work. A rule is lowered again until no type of a variable changes.

    `types` and `places` (where a type was learned) last from one round to the next, the rest is
    of one round.
    """

    world: World
    domains: Domains
    module: ModuleNames
    binding: Binding
    types: dict[str, Type] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    stale: bool = False
    changed: bool = False
    about: tuple[str, ...] = ()
    """The actions that the rule is about; none for clauses and for what `set` decides."""
    incomplete: bool = False
    """Whether something of it is unknown and reported, so that types may be lacking."""
    _taken: dict[str, int] = field(default_factory=dict)
    _hidden: int = 0
    _unbound: dict[str, Span] = field(default_factory=dict)
    _conflicting: set[str] = field(default_factory=set)
    _local: dict[str, list[tuple[str, Span]]] = field(default_factory=dict)

    def begin_round(self) -> None:
        """Forget what the round before has found, but for the types."""
        self.problems = []
        self.stale = self.changed = self.incomplete = False
        self._taken, self._hidden = {}, 0
        self._unbound, self._conflicting, self._local = {}, set(), {}

    def report(self, problem: Diagnostic) -> None:
        """Add a problem of this rule."""
        self.problems.append(problem)

    def unique(self, name: str) -> str:
        """A name that no variable of the rule has: the name itself, or with a number."""
        count = self._taken.get(name, 0) + 1
        self._taken[name] = count
        return name if count == 1 else f"{name}'{count}"

    def hidden(self, type_: Type) -> Variable:
        """A new variable that the checker makes up."""
        self._hidden += 1
        return Variable(f"_{self._hidden}", type_, hidden=True)

    # --- types ---------------------------------------------------------------------------------------

    def learn(self, name: str, type_: Type | None, span: Span) -> None:
        """A variable holds values of this type, as a place in the rule says."""
        if type_ is None:
            self.stale = True
            return
        known = self.types.get(name)
        if known is None:
            self.types[name], self.places[name] = type_, span
            self.changed = True
            return
        together = unify(known, type_)
        if together is None:
            self._report_conflict(name, known, type_, span)
        elif together != known:
            self.types[name] = together
            self.changed = self.stale = True

    def _report_conflict(self, name: str, known: Type, found: Type, span: Span) -> None:
        if name in self._conflicting:
            return
        self._conflicting.add(name)
        first = self.places[name]
        labels = [Label(first, f"{a_type(known)} here")] if first != span else []
        written = name.partition("'")[0]
        self.report(
            codes.CONFLICTING_TYPES.at(
                span, name=f"`{written}`", first=a_type(known), second=a_type(found), labels=labels
            )
        )

    # --- variables without a value ---------------------------------------------------------------------

    def unbound(self, name: str, span: Span) -> None:
        """A variable is read that nothing binds here."""
        self._unbound.setdefault(name, span)

    def local(self, name: str, where: str, span: Span) -> None:
        """A variable is local to a `not`, an aggregate or a branch."""
        self._local.setdefault(name, []).append((where, span))

    def twice_local(self, rule: str) -> Iterator[tuple[str, str, tuple[Span, ...]]]:
        """The names that are local to several negations, with their spans, for the rule of that name."""
        for name, places in self._local.items():
            negations = tuple(span for where, span in places if where == "not")
            if len(negations) > 1:
                yield rule, name, negations

    def unbound_problems(self) -> Iterator[Diagnostic]:
        """What to report of variables that are read without being bound, each once."""
        for name, span in self._unbound.items():
            places = self._local.get(name, [])
            labels = [Label(at, f"bound only inside this {where}") for where, at in places[:3]]
            yield codes.UNBOUND_VARIABLE.at(
                span, name=name, labels=labels, hint=_binding_hint(name, places)
            )


def _binding_hint(name: str, places: Sequence[tuple[str, Span]]) -> str:
    if any(where == "branch" for where, _ in places):
        return f"a variable bound in every branch of an `or` is bound after it: bind `{name}` in the others too"
    if places:
        return f"what is inside a `not` or an aggregate stays there: bind `{name}` outside too"
    return f"bind it with a fact or a definition, such as `some_fact(field: {name})`, or with `{name} == ...`"


@dataclass(slots=True)
class Scope:
    """One body in work: the variables it binds, the paths it has read, and its literals.

    `bound` are the written names that have a value in it, those of the bodies around included.
    `names` maps the names that this body binds to their unique names. `slots` holds the literals
    of each conjunct, so that they stand in the order of writing in whatever order they are lowered.
    """

    rule: RuleContext
    parent: Scope | None
    items: tuple[tree.Expr, ...]
    bound: frozenset[str]
    names: dict[str, str]
    binders: dict[str, int]
    slots: list[list[Literal]]
    slot: int = 0
    reads: dict[str, Variable] = field(default_factory=dict)
    created: list[Variable] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    """The paths and facts that this body asks to be present, by their keys."""
    isolated: bool = False
    """Whether paths are read anew, though a body around has read them (messages)."""

    def emit(self, literal: Literal) -> None:
        """Add a literal at the conjunct that is being lowered."""
        self.slots[self.slot].append(literal)

    def body(self) -> Body:
        """The literals, in the order of writing."""
        return tuple(literal for slot in self.slots for literal in slot)

    def binds_here(self, name: str) -> bool:
        """Whether the conjunct that is being lowered is what binds the variable."""
        return self.binders.get(name) == self.slot

    def unique_name(self, name: str) -> str | None:
        """The unique name of a written variable, or None where it is not bound."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def variable(self, node: tree.Variable, type_: Type | None = None) -> Variable | None:
        """The variable that a name means here; `type_` is what its place says of it.

        None where it is not bound (which is noted) or its type is not known yet.
        """
        name = self.unique_name(node.name)
        if name is None:
            self.rule.unbound(node.name, node.span)
            return None
        if type_ is not None:
            self.rule.learn(name, type_, node.span)
        known = self.rule.types.get(name)
        if known is None:
            self.rule.stale = True
            return None
        return Variable(name, known)

    def known_read(self, key: str) -> Variable | None:
        """The variable that holds a path which this body or one around it has read."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.reads.get(key)
            if found is not None:
                return found
            scope = None if scope.isolated else scope.parent
        return None

    def new_hidden(self, type_: Type) -> Variable:
        """A new hidden variable that this body binds."""
        variable = self.rule.hidden(type_)
        self.created.append(variable)
        return variable

    def origin(self, node: tree.Node) -> Origin:
        """Where a node was written."""
        return origin_of(node.span)

    def typed_names(self) -> Iterator[Variable]:
        """The written variables that this body binds and whose types are known, in order of binding."""
        for unique in self.names.values():
            known = self.rule.types.get(unique)
            if known is not None:
                yield Variable(unique, known)


def top_scope(rule: RuleContext, items: tuple[tree.Expr, ...], extra: int = 1) -> Scope:
    """The scope of a rule's own body, with `extra` slots for what its head adds."""
    binders = rule.binding.binders(items, frozenset())
    return _scope(rule, None, items, frozenset(), binders, {}, extra)


def inner_scope(
    outer: Scope, items: tuple[tree.Expr, ...], where: str, span: Span, extra: int = 0
) -> Scope:
    """The scope of a `not` or an aggregate inside another body."""
    binders = outer.rule.binding.binders(items, outer.bound)
    for name in binders:
        outer.rule.local(name, where, span)
    return _scope(outer.rule, outer, items, outer.bound, binders, {}, extra)


def branch_scope(outer: Scope, items: tuple[tree.Expr, ...], shared: dict[str, str]) -> Scope:
    """The scope of a branch of an `or` that binds the names of `shared` for the body around it."""
    visible = outer.bound - shared.keys()
    binders = outer.rule.binding.binders(items, visible)
    for name in binders:
        if name not in shared:
            outer.rule.local(name, "branch", items[0].span)
    return _scope(outer.rule, outer, items, visible, binders, shared, 0)


def _scope(
    rule: RuleContext,
    parent: Scope | None,
    items: tuple[tree.Expr, ...],
    visible: frozenset[str],
    binders: dict[str, int],
    shared: dict[str, str],
    extra: int,
) -> Scope:
    names = {name: shared.get(name) or rule.unique(name) for name in binders}
    return Scope(
        rule=rule,
        parent=parent,
        items=items,
        bound=visible | frozenset(binders),
        names=names,
        binders=binders,
        slots=[[] for _ in range(len(items) + extra)],
    )
