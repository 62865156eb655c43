"""Larger shapes: relationships over users, groups and folders, and a thousand rules over one action."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.peers.refund import same
from benchmarks.peers.timing import Absent, Peer
from policylang import loads

Shape = tuple[list[Peer], list[Absent], list[dict[str, Any]]]

RELATIONS = """
module files
facts member { user: String, of: String }
facts inside { item: String, folder: String }
facts viewer { group: String, folder: String }
fact agent { id: String }
action read { document: String }
define belongs(U, G) if member(user: U, of: G)
define belongs(U, G) if belongs(U, H) and member(user: H, of: G)
define above(D, F) if inside(item: D, folder: F)
define above(D, F) if above(D, E) and inside(item: E, folder: F)
rule shared: allow read
  if viewer(group: G, folder: F) and above(read.document, F) and belongs(agent.id, G)
"""


def relations(count: int) -> Shape:
    """`count` users, groups, folders and documents in all: who is in a group may read what lies below its folders."""
    size = max(count // 5, 1)
    member = [(f"u{i}", f"g{i % size}") for i in range(2 * size)]
    member += [(f"g{i}", f"g{i // 4}") for i in range(1, size)]
    inside = [(f"d{i}", f"f{i % size}") for i in range(size)]
    inside += [(f"f{i}", f"f{i // 4}") for i in range(1, size)]
    # Everybody is in the first group and everything in the first folder: a share of these would decide all.
    shared = [(f"g{i}", f"f{i}") for i in range(1, size, 2)]
    viewer = shared or [("g0", "f0")]
    up, over = upwards(member), upwards(inside)
    # Members who ask for what lies near them and far from them, and strangers.
    users = [i * 7 % (2 * size) if i % 5 else 2 * size + i for i in range(60)]
    asked = [(f"u{u}", f"d{(u if i % 2 else i * 13) % size}") for i, u in enumerate(users)]
    requests = [
        {
            "action": "read",
            "args": {"document": document},
            "agent": {"id": user},
            "now": "2026-11-22T10:00:00Z",
        }
        for user, document in asked
    ]

    def plain(request: Any) -> str:
        groups, folders = up(request["agent"]["id"]), over(request["args"]["document"])
        return "allow" if any(f in folders for g in groups for f in sees.get(g, ())) else "deny"

    sees = edges(viewer)

    def policylang(name: str) -> Peer:
        reference = {
            "member": [{"user": a, "of": b} for a, b in member],
            "inside": [{"item": a, "folder": b} for a, b in inside],
            "viewer": [{"group": a, "folder": b} for a, b in viewer],
        }
        bundle = loads(RELATIONS, reference=reference)
        return Peer(name, lambda request: bundle.decide(request).outcome.value, same, "")

    def cedar(name: str) -> Peer:
        return _cedar_relations(name, member, inside, viewer)

    def rego(name: str) -> Peer:
        return _regorus_relations(name, member, inside, viewer)

    found, absent = made({"policylang (plan)": policylang, "cedarpy": cedar, "regorus": rego})
    return [Peer("plain Python", plain, same, "validation, firings"), *found], absent, requests


def upwards(pairs: Sequence[tuple[str, str]]) -> Callable[[str], set[str]]:
    """What gives all that is above something."""
    parents: dict[str, list[str]] = {}
    for below, above in pairs:
        parents.setdefault(below, []).append(above)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        left = [start]
        while left:
            for above in parents.get(left.pop(), ()):
                if above not in found:
                    found.add(above)
                    left.append(above)
        return found

    return reached


def _cedar_relations(
    name: str,
    member: Sequence[tuple[str, str]],
    inside: Sequence[tuple[str, str]],
    viewer: Sequence[tuple[str, str]],
) -> Peer:
    import cedarpy

    kinds = {"u": "User", "g": "Group", "f": "Folder", "d": "Document"}
    parents: dict[str, list[str]] = {}
    for below, above in (*member, *inside):
        parents.setdefault(below, []).append(above)
        parents.setdefault(above, [])

    def uid(entity: str) -> dict[str, str]:
        return {"type": kinds[entity[0]], "id": entity}

    listed = [
        {"uid": uid(e), "attrs": {}, "parents": [uid(p) for p in set(above) - {e}]}
        for e, above in parents.items()
    ]
    entities = cedarpy.Entities.from_json_str(json.dumps(listed))
    policies = cedarpy.PolicySet.from_str(
        "\n".join(
            f'permit (principal in Group::"{g}", action == Action::"read", resource in Folder::"{f}");'
            for g, f in viewer
        )
    )
    allowed = cedarpy.Decision.Allow

    def answer(request: Any) -> str:
        found = cedarpy.is_authorized(request, policies, entities)
        return "allow" if found.decision is allowed else "deny"

    def form(request: Mapping[str, Any]) -> Any:
        return {
            "principal": uid(request["agent"]["id"]),
            "action": {"type": "Action", "id": "read"},
            "resource": uid(request["args"]["document"]),
        }

    return Peer(name, answer, form, "validation, bindings of firings, messages")


REGO_RELATIONS = """
package files
import rego.v1
groups := graph.reachable(data.member, {input.user})
folders := graph.reachable(data.inside, {input.document})
default allow := false
allow if { some group in groups; some folder in data.viewer[group]; folder in folders }
"""


def _regorus_relations(
    name: str,
    member: Sequence[tuple[str, str]],
    inside: Sequence[tuple[str, str]],
    viewer: Sequence[tuple[str, str]],
) -> Peer:
    import regorus

    engine = regorus.Engine()
    engine.add_policy("files.rego", REGO_RELATIONS)
    engine.add_data({"member": edges(member), "inside": edges(inside), "viewer": edges(viewer)})

    def answer(request: Any) -> str:
        engine.set_input(request)
        return "allow" if engine.eval_rule("data.files.allow") else "deny"

    def form(request: Mapping[str, Any]) -> Any:
        return {"user": request["agent"]["id"], "document": request["args"]["document"]}

    return Peer(name, answer, form, "validation, firings, messages")


def edges(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """What each has above it; what is nobody's below has nothing."""
    found: dict[str, list[str]] = {}
    for below, above in pairs:
        found.setdefault(below, []).append(above)
        found.setdefault(above, [])
    return found


def rules(count: int) -> Shape:
    """`count` rules over one action, told apart by a role, each with a limit of its own."""
    requests = [
        {
            "action": "act",
            "args": {"amount": amount},
            "agent": {"role": f"role{i * 37 % count}"},
            "now": "2026-11-22T10:00:00Z",
        }
        for i in range(20)
        for amount in (5, i * 37 % count, i * 37 % count + 1)
    ]
    text = "\n".join(
        f'rule r{i}: allow act if agent.role == "role{i}" and act.amount <= {i}'
        for i in range(count)
    )
    source = f"module m\nfact agent {{ role: String }}\naction act {{ amount: Int }}\n{text}\n"

    def plain(request: Any) -> str:
        limit = limits.get(request["agent"]["role"])
        return "allow" if limit is not None and request["args"]["amount"] <= limit else "deny"

    limits = {f"role{i}": i for i in range(count)}

    def policylang(name: str) -> Peer:
        bundle = loads(source)
        return Peer(name, lambda request: bundle.decide(request).outcome.value, same, "")

    makers = {
        "policylang (plan)": policylang,
        "cedarpy": lambda name: _cedar_rules(name, count),
        "regorus": lambda name: _regorus_rules(name, count),
        "rule-engine": lambda name: _rule_engine_rules(name, count),
    }
    found, absent = made(makers)
    return [Peer("plain Python", plain, same, "validation, firings"), *found], absent, requests


def _small(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": request["agent"]["role"], "amount": request["args"]["amount"]}


def _cedar_rules(name: str, count: int) -> Peer:
    import cedarpy

    policies = cedarpy.PolicySet.from_str(
        "\n".join(
            f'permit (principal, action, resource) when {{ context.role == "role{i}" && context.amount <= {i} }};'
            for i in range(count)
        )
    )
    entities = cedarpy.Entities.from_json_str("[]")
    allowed = cedarpy.Decision.Allow

    def answer(request: Any) -> str:
        found = cedarpy.is_authorized(request, policies, entities)
        return "allow" if found.decision is allowed else "deny"

    def form(request: Mapping[str, Any]) -> Any:
        uids = {k: {"type": k.title(), "id": "x"} for k in ("principal", "action", "resource")}
        return {**uids, "action": {"type": "Action", "id": "act"}, "context": _small(request)}

    return Peer(name, answer, form, "validation, messages")


def _regorus_rules(name: str, count: int) -> Peer:
    import regorus

    engine = regorus.Engine()
    text = "\n".join(
        f'allow if {{ input.role == "role{i}"; input.amount <= {i} }}' for i in range(count)
    )
    engine.add_policy("m.rego", f"package m\nimport rego.v1\ndefault allow := false\n{text}")

    def answer(request: Any) -> str:
        engine.set_input(request)
        return "allow" if engine.eval_rule("data.m.allow") else "deny"

    return Peer(name, answer, _small, "validation, firings, messages")


def _rule_engine_rules(name: str, count: int) -> Peer:
    from rule_engine import Rule

    made = [Rule(f"role == 'role{i}' and amount <= {i}") for i in range(count)]

    def answer(request: Any) -> str:
        return "allow" if any(rule.matches(request) for rule in made) else "deny"

    return Peer(name, answer, _small, "validation, messages")


def made(makers: Mapping[str, Callable[[str], Peer]]) -> tuple[list[Peer], list[Absent]]:
    """The peers that are installed, and those that are not."""
    found: list[Peer] = []
    absent: list[Absent] = []
    for name, make in makers.items():
        try:
            found.append(make(name))
        except ImportError as problem:
            absent.append(Absent(name, f"not installed ({problem})"))
    return found, absent
