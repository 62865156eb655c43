"""Publishing: the modules of a bundle into a store, each under its name and version."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import standard_module
from policylang.diagnostics import Diagnostic, Span
from policylang.errors import InternalError, PolicyInvalid
from policylang.facts.forms import to_json
from policylang.packaged import STDLIB_PREFIX
from policylang.rollout import codes
from policylang.rollout.differences import compare
from policylang.rollout.versions import MODULE, Version, find_version
from policylang.semantics.checker import resolve_modules
from policylang.semantics.program import ModuleInfo, Program
from policylang.syntax import parse, tree
from policylang.trace.programs import reference_body
from policylang.trace.state import Transaction
from policylang.trace.store import TraceStore


class Publication(enum.Enum):
    """What became of a module that was published."""

    NEW = "new"
    UNCHANGED = "unchanged"
    """This content is published under this version already."""
    RELAID = "same meaning"
    """The published text differs in comments and layout alone; it stays as it was."""


@dataclass(frozen=True, slots=True)
class Published:
    """One module of a bundle that was published, as it stands in the store now."""

    version: Version
    publication: Publication


def versions_in(bundle: Bundle) -> tuple[Version, ...]:
    """The modules of a bundle as versions to be published, standard modules left out.

    Raises `PolicyInvalid` where a module has no version, or where there is none to publish.
    """
    own = _own(bundle)
    problems = [
        codes.NO_VERSION.at(_header(module), name=module.name)
        for module in own
        if not module.version
    ]
    if not own:
        problems.append(codes.NOTHING_TO_PUBLISH.at(None))
    if problems:
        raise PolicyInvalid(problems)
    return tuple(_version(module, bundle) for module in own)


def modules_in(bundle: Bundle) -> tuple[Version, ...]:
    """The modules of a bundle, standard modules left out, as they would be published; a draft may have no version."""
    return tuple(_version(module, bundle) for module in _own(bundle))


def _own(bundle: Bundle) -> list[ModuleInfo]:
    """The modules that are published: not those of the standard library, and none that holds tests alone."""
    own = [m for m in bundle.program.modules if m.name.partition(".")[0] != STDLIB_PREFIX]
    return [module for module in own if not _only_tests(module)]


def _only_tests(module: ModuleInfo) -> bool:
    parsed = parse(module.source).module if module.source is not None else None
    if parsed is None:
        return False
    kinds = {type(statement) for statement in parsed.statements} - {tree.UseStatement}
    return bool(kinds) and kinds <= {tree.TestStatement, tree.FixtureStatement}


def publish(store: TraceStore, bundle: Bundle, *, by: str) -> tuple[Published, ...]:
    """Put every module of a bundle into the store, under its name, version and digests: all of them, or none.

    `by` is who publishes. A version that is there with the same meaning stays as it is.

    Raises `PolicyInvalid` where a module has no version, or where a version is published with another content (the
    diagnostic shows the difference); `StateUnavailableError` where the state cannot be changed.
    """
    versions = versions_in(bundle)
    at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    with store.state.transaction() as tx:
        taken = [problem for version in versions for problem in _taken(tx, version)]
        if taken:
            raise PolicyInvalid(taken)
        return tuple(
            _put(tx, replace(version, published_at=at, published_by=by), bundle)
            for version in versions
        )


def _version(module: ModuleInfo, bundle: Bundle) -> Version:
    if module.source is None:
        raise InternalError(f"the text of {module.name} is not at hand")
    held = bundle.reference.relations.items()
    own = _spoken_for(module)
    return Version(
        module=module.name,
        version=module.version or "",
        digest=module.digest,
        meaning=module.meaning,
        file=module.source.name,
        text=module.source.text,
        params=_params(own, bundle.program),
        reference={n: r.digest for n, r in held if r.relation.module in own},
    )


def _spoken_for(module: ModuleInfo) -> frozenset[str]:
    """The modules whose params and reference data a version holds: its own, and the standard ones that it uses.

    INVARIANT: what a deployment says of a standard module stays part of what is published. Those modules are not published
    themselves, and without it a stricter param would be the looser default again.
    """
    parsed = parse(module.source).module if module.source is not None else None
    reached = () if parsed is None else resolve_modules([parsed], standard_module)
    named = {found.header.name.text for found in reached if found.header is not None}
    return frozenset({module.name, *named})


def _params(modules: frozenset[str], program: Program) -> dict[str, Any]:
    return {
        name: to_json(param.value, param.domain.type)
        for name, param in program.schema.params.items()
        if param.overridden and name.rpartition(".")[0] in modules
    }


def _header(module: ModuleInfo) -> Span | None:
    parsed = None if module.source is None else parse(module.source).module
    return None if parsed is None or parsed.header is None else parsed.header.span


def _taken(tx: Transaction, version: Version) -> Sequence[Diagnostic]:
    known = find_version(tx, version.module, version.version)
    if known is None or known.effect == version.effect:
        return ()
    differences = compare(known, version)
    return [
        codes.VERSION_TAKEN.at(
            None,
            name=version.module,
            version=version.version,
            notes=[str(difference) for difference in differences],
        )
    ]


def _put(tx: Transaction, version: Version, bundle: Bundle) -> Published:
    known = find_version(tx, version.module, version.version)
    if known is not None:
        is_same = known.content == version.content
        return Published(known, Publication.UNCHANGED if is_same else Publication.RELAID)
    for relation, digest in version.reference.items():
        _put_rows(tx, relation, digest, bundle)
    tx.execute(
        """INSERT INTO versions (module, version, digest, meaning, content, file, text, params,
            reference, published_at, published_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            version.module,
            version.version,
            version.digest,
            version.meaning,
            version.content,
            version.file,
            version.text,
            _json(version.params),
            _json(version.reference),
            version.published_at,
            version.published_by,
        ),
    )
    tx.event(MODULE, version.to_json())
    return Published(version, Publication.NEW)


def _put_rows(tx: Transaction, relation: str, digest: str, bundle: Bundle) -> None:
    known = "SELECT 1 FROM version_rows WHERE relation = ? AND digest = ?"
    if tx.execute(known, (relation, digest)):
        return
    held = bundle.reference.relations[relation]
    body = reference_body(relation, digest, held.rows, bundle.program.schema)
    entry = (relation, digest, json.dumps(body["rows"], ensure_ascii=False))
    # They are recorded, with what is personal sealed, when a decision is made with them.
    tx.execute("INSERT INTO version_rows VALUES (?, ?, ?)", entry)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, ensure_ascii=False)
