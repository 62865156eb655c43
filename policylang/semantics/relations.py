"""Declarations as relations: facts, actions, groups, tables, lists unfolded, params, decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from policylang.diagnostics import Label
from policylang.facts.order import value_key
from policylang.facts.schema import (
    Cardinality,
    DecisionDeclaration,
    Param,
    Relation,
    RelationKind,
    Source,
)
from policylang.facts.types import (
    DATETIME,
    INT,
    STRING,
    Domain,
    Field,
    ListType,
    RecordType,
    RefType,
    SetType,
    base,
)
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics import codes
from policylang.semantics.domains import Domains
from policylang.semantics.names import (
    ANY_GROUP,
    APPROVAL,
    NOW,
    Kind,
    ModuleNames,
    Symbol,
)
from policylang.semantics.operations import unify
from policylang.semantics.params import override_value
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type, plural, shown
from policylang.semantics.world import World
from policylang.syntax import tree

_CARDINALITIES: Final = {
    tree.Cardinality.ONE: Cardinality.ONE,
    tree.Cardinality.OPTIONAL: Cardinality.OPTIONAL,
    tree.Cardinality.MANY: Cardinality.MANY,
}
SOURCES: Final = {
    tree.FactSource.SYSTEM: Source.SYSTEM,
    tree.FactSource.TOOL: Source.TOOL,
    tree.FactSource.USER: Source.USER,
    tree.FactSource.MODEL: Source.MODEL,
}

BUILTIN_RELATIONS: Final = (
    Relation(
        name=NOW,
        module="",
        kind=RelationKind.BUILTIN,
        cardinality=Cardinality.ONE,
        columns=(Field("value", Domain(DATETIME)),),
        minimum_source=Source.SYSTEM,
        reads="it is {value}",
    ),
    Relation(
        name=APPROVAL,
        module="",
        kind=RelationKind.BUILTIN,
        cardinality=Cardinality.MANY,
        columns=(
            Field("by", Domain(STRING)),
            Field("id", Domain(STRING)),
            Field("time", Domain(DATETIME)),
        ),
        minimum_source=Source.SYSTEM,
        reads="approval {id} was granted by {by}",
    ),
)


def declare_relations(world: World, domains: Domains, overrides: Mapping[str, object]) -> None:
    """Fill the world with everything its modules declare, in the order of modules and of writing."""
    for relation in BUILTIN_RELATIONS:
        world.relations[relation.name] = relation
    for module in world.names.modules.values():
        for symbol in module.values.values():
            _declare(world, domains, module, symbol)
        for types in module.types.values():
            if types.kind is Kind.ENUM:
                domains.enum(types)
            elif types.span is not None:
                domains.alias(types, types.span)
    _override(world, overrides)
    _declare_groups(world)
    for relation in list(world.relations.values()):
        if relation.kind in (RelationKind.FACT, RelationKind.ACTION, RelationKind.GROUP):
            for items in unfolded(relation):
                world.relations[items.name] = items
                _check_columns(world, items)


def _check_columns(world: World, items: Relation) -> None:
    """A record may not have a field called as the position, the outer list, or the fact itself."""
    names = [column.name for column in items.columns]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    root = items.bare_name.partition(".")[0]
    symbol = world.names.modules[items.module].values.get(root) if items.module else None
    if twice is None or symbol is None or symbol.span is None or symbol.kind is Kind.GROUP:
        return
    problem = f"the rows of `{items.bare_name}` would have two columns called `{twice}`"
    label = "the position, the outer list and the key of the row are columns too"
    world.problems.append(codes.BAD_TYPE.at(symbol.span, problem=problem, label=label))


def _declare(world: World, domains: Domains, module: ModuleNames, symbol: Symbol) -> None:
    match symbol.node:
        case tree.FactStatement():
            world.relations[symbol.name] = _fact(domains, module, symbol, symbol.node)
        case tree.ActionStatement():
            world.relations[symbol.name] = _action(domains, module, symbol, symbol.node)
        case tree.TableStatement():
            _declare_table(world, domains, module, symbol, symbol.node)
        case tree.ParamStatement():
            _declare_param(world, domains, module, symbol, symbol.node)
        case tree.DecisionStatement():
            _declare_decision(world, domains, module, symbol, symbol.node)
        case _:
            pass


def _doc(node: tree.Doc | None) -> str:
    return node.text if node else ""


def _source(word: tree.SourceWord | None) -> Source:
    return SOURCES[word.source] if word else Source.MODEL


def _fact(
    domains: Domains, module: ModuleNames, symbol: Symbol, node: tree.FactStatement
) -> Relation:
    columns = domains.fields(module, node.fields, symbol.name)
    return Relation(
        name=symbol.name,
        module=symbol.module,
        kind=RelationKind.FACT,
        cardinality=_CARDINALITIES[node.cardinality],
        columns=columns,
        minimum_source=_source(node.source),
        file=node.file.value if node.file else None,
        reads=sentence(domains, node.reads, [field.name.text for field in node.fields]),
        doc=_doc(node.doc),
    )


def _action(
    domains: Domains, module: ModuleNames, symbol: Symbol, node: tree.ActionStatement
) -> Relation:
    return Relation(
        name=symbol.name,
        module=symbol.module,
        kind=RelationKind.ACTION,
        cardinality=Cardinality.ONE,
        columns=domains.fields(module, node.fields, symbol.name),
        minimum_source=_source(node.source),
        reads=sentence(domains, node.reads, [field.name.text for field in node.fields]),
        doc=_doc(node.doc),
    )


def sentence(
    domains: Domains, template: tree.Template | None, columns: Sequence[str]
) -> str | None:
    """The `reads` of a relation as text with `{column}` blanks; braces of the text are doubled."""
    if template is None:
        return None
    parts: list[str] = []
    for part in template.parts:
        if isinstance(part, tree.TemplateText):
            parts.append(part.text.replace("{", "{{").replace("}", "}}"))
        elif isinstance(part.value, tree.Path) and part.value.text in columns:
            parts.append("{" + part.value.text + "}")
        else:
            written = part.value.span.text
            hint = did_you_mean(written, columns)
            domains.report(
                codes.BAD_TEMPLATE.at(
                    part.value.span,
                    problem=f"`{{{written}}}` is not a field of this declaration",
                    label="the sentence of a declaration speaks of its own fields",
                    hint=hint,
                )
            )
    return "".join(parts)


# --- tables ----------------------------------------------------------------------------------------------


def _declare_table(
    world: World, domains: Domains, module: ModuleNames, symbol: Symbol, node: tree.TableStatement
) -> None:
    columns = domains.fields(module, node.columns, symbol.name)
    relation = Relation(
        name=symbol.name,
        module=symbol.module,
        kind=RelationKind.TABLE,
        cardinality=Cardinality.MANY,
        columns=columns,
        minimum_source=Source.SYSTEM,
        reads=sentence(domains, node.reads, [column.name.text for column in node.columns]),
        doc=_doc(node.doc),
    )
    world.relations[symbol.name] = relation
    if len(columns) < len(node.columns):
        world.tables[symbol.name] = ()
        return
    rows = [_row(world, domains, module, relation, row) for row in node.rows]
    world.tables[symbol.name] = tuple(row for row in rows if row is not None)
    _check_keys(world, relation, [(n, r) for n, r in zip(node.rows, rows, strict=True) if r])


def _row(
    world: World, domains: Domains, module: ModuleNames, relation: Relation, row: tree.TableRow
) -> tuple[Value | Missing, ...] | None:
    if len(row.cells) != len(relation.columns):
        world.problems.append(
            codes.WRONG_CELL_COUNT.at(
                row.span,
                found=plural(len(row.cells), "cell"),
                wanted=plural(len(relation.columns), "column"),
                name=relation.bare_name,
            )
        )
        return None
    constants = domains.constants(module)
    values: list[Value | Missing] = []
    for cell, column in zip(row.cells, relation.columns, strict=True):
        if isinstance(cell, tree.Wildcard):
            if not column.optional:
                _report_missing_cell(world, cell, column)
                return None
            values.append(MISSING)
            continue
        value = constants.in_domain(cell, column.domain)
        if value is not None:
            values.append(value)
    return tuple(values) if len(values) == len(relation.columns) else None


def _report_missing_cell(world: World, cell: tree.Wildcard, column: Field) -> None:
    world.problems.append(
        codes.TYPE_MISMATCH.at(
            cell.span,
            what="`_`",
            found="a missing value",
            wanted=a_type(column.domain.type),
            hint=f"only a column with a `?` may lack a value: `{column.name}: {column.domain.type}?`",
        )
    )


def _check_keys(
    world: World,
    relation: Relation,
    rows: list[tuple[tree.TableRow, tuple[Value | Missing, ...]]],
) -> None:
    key = relation.key
    if key is None:
        return
    seen: dict[object, tree.TableRow] = {}
    for written, row in rows:
        value = row[key]
        first = seen.setdefault(value_key(value), written)
        if first is not written and not isinstance(value, Missing):
            world.problems.append(
                codes.DUPLICATE_KEY.at(
                    written.cells[key].span,
                    name=relation.bare_name,
                    value=f"`{shown(value, relation.columns[key].domain.type)}`",
                    labels=[Label(first.cells[key].span, "first here")],
                )
            )


# --- params and decisions ----------------------------------------------------------------------------------


def _declare_param(
    world: World, domains: Domains, module: ModuleNames, symbol: Symbol, node: tree.ParamStatement
) -> None:
    found = domains.of(module, node.type)
    value = None
    if found is not None:
        value = domains.constants(module).in_domain(node.value, found[0])
        if found[1]:
            domains.report_type(node.type.span, "a param is never missing", "drop the `?`")
    if found is None or value is None:
        world.spoiled.add(symbol.name)
        return
    world.params[symbol.name] = Param(symbol.name, found[0], value, doc=_doc(node.doc))


def _declare_decision(
    world: World,
    domains: Domains,
    module: ModuleNames,
    symbol: Symbol,
    node: tree.DecisionStatement,
) -> None:
    found = domains.of(module, node.type)
    if found is None:
        world.spoiled.add(symbol.name)
        return
    default = None
    if node.default is not None:
        default = domains.constants(module).in_domain(node.default, found[0])
    world.decisions[symbol.name] = DecisionDeclaration(
        symbol.name, found[0], MISSING if default is None else default, _doc(node.doc)
    )


def _override(world: World, overrides: Mapping[str, object]) -> None:
    for name, given in overrides.items():
        meant = [p for p in world.params.values() if name in (p.name, p.name.rpartition(".")[2])]
        exact = [param for param in meant if param.name == name] or meant
        if len(exact) == 1:
            changed = override_value(exact[0], given, world.problems)
            world.params[changed.name] = changed
        elif name not in world.spoiled:
            _report_override(world, name, exact)


def _report_override(world: World, name: str, meant: list[Param]) -> None:
    hint: str | None
    if meant:
        hint = "write " + " or ".join(f"`{param.name}`" for param in meant)
        problem, label = f"the param `{name}` is declared by several modules", ""
    else:
        bare = [param.rpartition(".")[2] for param in world.params]
        hint = did_you_mean(name, [*world.params, *bare])
        problem, label = f"no module declares the param `{name}`", ""
    world.problems.append(codes.BAD_PARAM.at(None, problem=problem, label=label, hint=hint))


# --- groups ------------------------------------------------------------------------------------------------


def _declare_groups(world: World) -> None:
    actions = tuple(r.name for r in world.relations.values() if r.kind is RelationKind.ACTION)
    world.groups[ANY_GROUP] = actions
    world.relations[ANY_GROUP] = _group(world.relations, ANY_GROUP, "", actions, "")
    for symbol in world.names.every(Kind.GROUP):
        members = dict.fromkeys(_members(world, symbol, ()))
        ordered = tuple(name for name in actions if name in members)
        world.groups[symbol.name] = ordered
        assert isinstance(symbol.node, tree.GroupStatement)
        world.relations[symbol.name] = _group(
            world.relations, symbol.name, symbol.module, ordered, _doc(symbol.node.doc)
        )


def _members(world: World, symbol: Symbol, inside: tuple[str, ...]) -> Iterator[str]:
    assert isinstance(symbol.node, tree.GroupStatement)
    module = world.names.modules[symbol.module]
    for path in symbol.node.members:
        mark = len(world.problems)
        found = world.find(module, path, "action")
        if inside:
            del world.problems[mark:]  # reported at the inner group itself
        if found is None:
            continue
        if found.rest or found.symbol.kind not in (Kind.ACTION, Kind.GROUP):
            if not inside:
                _report_member(world, path, found.symbol)
        elif found.symbol.kind is Kind.ACTION:
            yield found.symbol.name
        elif found.symbol.name == ANY_GROUP:
            yield from world.groups[ANY_GROUP]
        elif found.symbol.name in (*inside, symbol.name):
            circle = (*inside, symbol.name)
            if found.symbol.name == circle[0] == min(circle):
                _report_group_cycle(world, path, circle)
        else:
            yield from _members(world, found.symbol, (*inside, symbol.name))


def _report_member(world: World, path: tree.Path, symbol: Symbol) -> None:
    world.problems.append(
        codes.WRONG_KIND.at(
            path.span,
            name=path.text,
            found=symbol.kind.value,
            wanted="an action or an action group",
        )
    )


def _report_group_cycle(world: World, path: tree.Path, circle: tuple[str, ...]) -> None:
    names = [name.rpartition(".")[2] for name in (*circle, circle[0])]
    world.problems.append(
        codes.GROUP_CYCLE.at(
            path.span, name=names[0], cycle=" -> ".join(f"`{name}`" for name in names)
        )
    )


def group_of(
    relations: Mapping[str, Relation], name: str, module: str, members: tuple[str, ...], doc: str
) -> tuple[Relation, ...]:
    """A group of declared actions with the relations of its lists."""
    group = _group(relations, name, module, members, doc)
    return (group, *unfolded(group))


def _group(
    relations: Mapping[str, Relation], name: str, module: str, members: tuple[str, ...], doc: str
) -> Relation:
    return Relation(
        name=name,
        module=module,
        kind=RelationKind.GROUP,
        cardinality=Cardinality.ONE,
        columns=_common([relations[member].columns for member in members]),
        minimum_source=Source.MODEL,
        members=members,
        doc=doc,
    )


def _common(members: list[tuple[Field, ...]]) -> tuple[Field, ...]:
    """The fields that all members declare with types that go together."""
    if not members:
        return ()
    others = [{field.name: field for field in fields} for fields in members[1:]]
    common = (_merged([first, *(o.get(first.name) for o in others)]) for first in members[0])
    return tuple(field for field in common if field is not None)


def _merged(fields: list[Field | None]) -> Field | None:
    """One field for what several actions call by one name; None where one lacks it."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields):
        return None
    first = known[0]
    kind = first.domain.type
    for field in known[1:]:
        together = unify(kind, field.domain.type)
        if together is None:
            return None
        kind = together
    return Field(
        name=first.name,
        domain=first.domain if all(f.domain == first.domain for f in known) else Domain(kind),
        optional=any(field.optional for field in known),
        secret=any(field.secret for field in known),
        personal=any(field.personal for field in known),
        doc=first.doc,
    )


# --- lists and sets as rows ------------------------------------------------------------------------------------


def unfolded(root: Relation) -> Iterator[Relation]:
    """The ITEMS relations of a relation's list and set fields, those inside lists of records too."""
    key = root.key
    leading: tuple[Field, ...] = ()
    if key is not None:
        reference = RefType(root.name, base(root.columns[key].domain.type))
        leading = (Field(root.bare_name, Domain(reference)),)
    for field in root.columns:
        yield from _items(root, root.name, field, leading)


def _items(
    root: Relation, parent: str, field: Field, leading: tuple[Field, ...]
) -> Iterator[Relation]:
    kind = field.domain.type
    if not isinstance(kind, ListType | SetType):
        return
    name = f"{parent}.{field.name}"
    element = kind.element
    record = element.type if isinstance(element.type, RecordType) else None
    index = (Field("index", Domain(INT, low=1)),) if isinstance(kind, ListType) else ()
    own = record.fields if record is not None else (Field("value", element),)
    yield Relation(
        name=name,
        module=root.module,
        kind=RelationKind.ITEMS,
        cardinality=Cardinality.MANY,
        columns=(*leading, *index, *own),
        minimum_source=root.minimum_source,
        parent=parent,
        parent_field=field.name,
    )
    if record is not None:
        outer = (*leading, Field(field.name, Domain(INT, low=1)))
        for inner in record.fields:
            yield from _items(root, name, inner, outer)
