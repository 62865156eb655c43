"""Mentions of rules: `overrides fraud`, `expect allow by other.small_refund`."""

from __future__ import annotations

from policylang.diagnostics import Diagnostic
from policylang.semantics import codes
from policylang.semantics.names import Kind, ModuleNames, Symbol
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.world import World
from policylang.syntax import tree


def find_rule(
    world: World, module: ModuleNames, path: tree.Path, problems: list[Diagnostic]
) -> Symbol | None:
    """The rule, limit or invariant that a path names; None, reported, where there is none."""
    *qualifier, last = path.names
    owner: ModuleNames | None = module
    if qualifier and ".".join(name.text for name in qualifier) != module.name:
        imported = module.values.get(qualifier[0].text) if len(qualifier) == 1 else None
        if imported is None or imported.kind is not Kind.MODULE:
            world.report_unknown(module, path, "module", (), problems)
            return None
        module.used.add(qualifier[0].text)
        owner = world.names.modules.get(imported.name)
    if owner is None:
        return None
    found = owner.rules.get(last.text)
    if found is None and not world.is_lost(last.text):
        hint = did_you_mean(last.text, owner.rules)
        problems.append(codes.UNKNOWN_RULE.at(path.span, name=path.text, hint=hint))
    return found
