"""The modules of the standard library, as people look at them: what each declares, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from policylang.bundle.loading import standard_module
from policylang.errors import InternalError
from policylang.packaged import STDLIB_PREFIX, stdlib_names, stdlib_source
from policylang.syntax import tree

_Declaring: TypeAlias = (
    tree.EnumStatement
    | tree.TypeStatement
    | tree.ParamStatement
    | tree.FactStatement
    | tree.TableStatement
    | tree.DefineStatement
)

_KINDS: Final[dict[type[_Declaring], str]] = {
    tree.EnumStatement: "enum",
    tree.TypeStatement: "type",
    tree.ParamStatement: "param",
    tree.FactStatement: "fact",
    tree.TableStatement: "table",
    tree.DefineStatement: "define",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One thing that a module declares: `define holds(A, S)` and the doc comment before it."""

    kind: str
    name: str
    form: str
    doc: str


@dataclass(frozen=True, slots=True)
class StandardModule:
    """A module of the standard library. `doc` is the comment before its header."""

    name: str
    version: str
    doc: str
    declared: tuple[Declared, ...]
    source: str

    @property
    def summary(self) -> str:
        """The first sentence of its doc comment."""
        return " ".join(self.doc.split()).partition(". ")[0].rstrip(".") + "."


def standard_modules() -> tuple[StandardModule, ...]:
    """Every module of the standard library, by name.

    >>> [module.name for module in standard_modules()][:2]
    ['std.agents', 'std.approvals']
    """
    return tuple(_described(name) for name in stdlib_names())


def _described(name: str) -> StandardModule:
    module = standard_module(f"{STDLIB_PREFIX}.{name}")
    content = stdlib_source(name)
    if module is None or content is None or module.header is None:
        raise InternalError(f"the standard module {name} is not there")
    header = module.header
    return StandardModule(
        name=f"{STDLIB_PREFIX}.{name}",
        version=header.version.value if header.version else "",
        doc=header.doc.text if header.doc else "",
        declared=_declared(module),
        source=content.decode(),
    )


def _declared(module: tree.Module) -> tuple[Declared, ...]:
    """What the module declares, each name once: the clauses of a definition are one."""
    found: dict[str, Declared] = {}
    for statement in module.statements:
        if isinstance(statement, _Declaring):
            name = statement.name.text
            doc = statement.doc.text if statement.doc else ""
            found.setdefault(name, Declared(_KINDS[type(statement)], name, _form(statement), doc))
    return tuple(found.values())


def _form(statement: _Declaring) -> str:
    """The statement as it is called or given: without what it reads and what it holds."""
    match statement:
        case tree.DefineStatement(name=name, parameters=parameters):
            inside = ", ".join(_text(parameter) for parameter in parameters)
            return f"{name.text}({inside})" if parameters else name.text
        case tree.FactStatement(name=name, fields=fields, cardinality=cardinality, source=source):
            inside = ", ".join(_text(field) for field in fields)
            come = f" from {source.source.value}" if source else ""
            return f"{cardinality.value} {name.text}{come} {{ {inside} }}"
        case tree.TableStatement(name=name, columns=columns):
            return f"table {name.text} ({', '.join(_text(column) for column in columns)})"
        case _:
            return _text(statement)


def _text(node: tree.Node) -> str:
    """The text of a node, on one line and without its doc comments."""
    lines = node.span.text.splitlines()
    words = " ".join(line for line in lines if not line.lstrip().startswith("##")).split()
    return " ".join(words)
