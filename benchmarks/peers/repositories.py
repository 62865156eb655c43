"""Repositories with roles for teams of teams, and issues in them: the shape of Cedar's GitHub example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.refund import same
from benchmarks.peers.shapes import Shape, edges, made, upwards
from benchmarks.peers.timing import Peer
from policylang import loads

ROLES = ("reader", "triager", "writer", "maintainer", "admin")

POLICY = """
module repositories
enum Role { reader, triager, writer, maintainer, admin }
facts member { user: String, of: String }
facts role { team: String, of: String, is: Role }
facts issue { id: String, repository: String, reporter: String }
fact agent { id: String }
action pull { repository: String }
action push { repository: String }
action add_reader { repository: String }
action assign_issue { issue: String }
action delete_issue { issue: String }
define belongs(U, T) if member(user: U, of: T)
define belongs(U, T) if belongs(U, V) and member(user: V, of: T)
rule readers: allow pull
  if role(of: pull.repository, team: T, is: R) and R >= reader and belongs(agent.id, T)
rule writers: allow push
  if role(of: push.repository, team: T, is: R) and R >= writer and belongs(agent.id, T)
rule admins: allow add_reader
  if role(of: add_reader.repository, team: T, is: R) and R >= admin and belongs(agent.id, T)
rule triagers: allow assign_issue
  if issue(id: assign_issue.issue, repository: P)
  and role(of: P, team: T, is: R) and R >= triager and belongs(agent.id, T)
rule reporters: allow delete_issue
  if issue(id: delete_issue.issue, repository: P, reporter: agent.id)
  and role(of: P, team: T, is: R) and R >= reader and belongs(agent.id, T)
rule maintainers: allow delete_issue
  if issue(id: delete_issue.issue, repository: P)
  and role(of: P, team: T, is: R) and R >= maintainer and belongs(agent.id, T)
"""

LEAST = {
    "pull": "reader",
    "push": "writer",
    "add_reader": "admin",
    "assign_issue": "triager",
    "delete_issue": "maintainer",
}
"""The least role that each action needs. An issue is also deleted by its reporter, who has to be a reader."""


@dataclass(frozen=True, slots=True)
class World:
    """Who belongs to what, which role a team has for a repository, and issues with their repository and reporter."""

    member: list[tuple[str, str]]
    role: list[tuple[str, str, str]]
    issue: list[tuple[str, str, str]]


def world(count: int) -> World:
    """`count` users, teams, repositories and issues in all."""
    size = max(count // 5, 1)
    member = [(f"u{i}", f"t{i % size}") for i in range(2 * size)]
    member += [(f"t{i}", f"t{i // 4}") for i in range(1, size)]
    role = [(f"t{i}", f"r{i}", ROLES[i % 5]) for i in range(size)]
    role += [(f"t{i // 2}", f"r{i}", ROLES[i % 3]) for i in range(1, size)]
    issue = [(f"i{i}", f"r{i}", f"u{i}") for i in range(size)]
    return World(member, sorted(set(role)), issue)


def grid(count: int) -> list[dict[str, Any]]:
    """Requests of members of a repository's team, of its reporter and of somebody else, for each action."""
    size = max(count // 5, 1)
    requests = []
    for i in range(12):
        place = i * 13 % size
        for action in LEAST:
            user = (place, place + size, i * 7 % (2 * size))[i % 3]
            what = {"issue": f"i{place}"} if "issue" in action else {"repository": f"r{place}"}
            requests.append(
                {
                    "action": action,
                    "args": what,
                    "agent": {"id": f"u{user}"},
                    "now": "2026-11-22T10:00:00Z",
                }
            )
    return requests


def repositories(count: int) -> Shape:
    """The peers of this shape, and its requests."""
    given = world(count)
    makers = {
        "policylang (plan)": lambda name: _policylang(name, given),
        "cedarpy": lambda name: _cedar(name, given),
        "regorus": lambda name: _regorus(name, given),
    }
    found, absent = made(makers)
    return [_plain(given), *found], absent, grid(count)


def _plain(given: World) -> Peer:
    up = upwards(given.member)
    issues = {i: (place, by) for i, place, by in given.issue}
    roles: dict[str, dict[str, int]] = {}
    for team, of, role in given.role:
        held = roles.setdefault(of, {})
        held[team] = max(held.get(team, 0), ROLES.index(role))

    def answer(request: Any) -> str:
        action, what, user = request["action"], request["args"], request["agent"]["id"]
        place, by = issues[what["issue"]] if "issue" in what else (what["repository"], None)
        teams = up(user)
        held = max((role for t, role in roles.get(place, {}).items() if t in teams), default=-1)
        if action == "delete_issue" and by == user and held >= 0:
            return "allow"
        return "allow" if held >= ROLES.index(LEAST[action]) else "deny"

    return Peer("plain Python", answer, same, "validation, firings")


def _policylang(name: str, given: World) -> Peer:
    reference = {
        "member": [{"user": a, "of": b} for a, b in given.member],
        "role": [{"team": t, "of": of, "is": role} for t, of, role in given.role],
        "issue": [{"id": i, "repository": r, "reporter": by} for i, r, by in given.issue],
    }
    bundle = loads(POLICY, reference=reference)
    return Peer(name, lambda request: bundle.decide(request).outcome.value, same, "")


CEDAR = """
permit (principal, action == Action::"pull", resource) when { principal in resource.readers };
permit (principal, action == Action::"push", resource) when { principal in resource.writers };
permit (principal, action == Action::"add_reader", resource) when { principal in resource.admins };
permit (principal, action == Action::"assign_issue", resource)
when { principal in resource.repository.triagers };
permit (principal, action == Action::"delete_issue", resource)
when { principal in resource.repository.readers && principal == resource.reporter };
permit (principal, action == Action::"delete_issue", resource)
when { principal in resource.repository.maintainers };
"""


def _cedar(name: str, given: World) -> Peer:
    """Each repository has a group for each role; a stronger one is in the weaker ones, as in Cedar's example."""
    import cedarpy

    policies = cedarpy.PolicySet.from_str(CEDAR)
    entities = cedarpy.Entities.from_json_str(json.dumps(_cedar_entities(given)))
    allowed = cedarpy.Decision.Allow

    def answer(request: Any) -> str:
        found = cedarpy.is_authorized(request, policies, entities)
        return "allow" if found.decision is allowed else "deny"

    def form(request: Mapping[str, Any]) -> Any:
        ((_, what),) = request["args"].items()
        return {
            "principal": _uid(request["agent"]["id"]),
            "action": {"type": "Action", "id": request["action"]},
            "resource": _uid(what),
        }

    return Peer(name, answer, form, "validation, bindings of firings, messages")


_KINDS = {"u": "User", "t": "Team", "r": "Repository", "i": "Issue"}


def _uid(entity: str) -> dict[str, str]:
    return {"type": _KINDS[entity[0]], "id": entity}


def _group(repository: str, role: str) -> dict[str, str]:
    return {"type": "Group", "id": f"{repository}_{role}"}


def _cedar_entities(given: World) -> list[dict[str, Any]]:
    parents: dict[str, list[dict[str, str]]] = {}
    for below, above in given.member:
        parents.setdefault(above, [])
        if below != above:
            parents.setdefault(below, []).append(_uid(above))
    for team, of, role in given.role:
        parents.setdefault(team, []).append(_group(of, role))
    listed = [{"uid": _uid(e), "attrs": {}, "parents": above} for e, above in parents.items()]
    for repository in sorted({of for _, of, _ in given.role}):
        groups = {f"{role}s": {"__entity": _group(repository, role)} for role in ROLES}
        listed.append({"uid": _uid(repository), "attrs": groups, "parents": []})
        for weaker, role in zip((None, *ROLES), ROLES, strict=False):
            above = [] if weaker is None else [_group(repository, weaker)]
            listed.append({"uid": _group(repository, role), "attrs": {}, "parents": above})
    for issue, repository, reporter in given.issue:
        attrs = {
            "repository": {"__entity": _uid(repository)},
            "reporter": {"__entity": _uid(reporter)},
        }
        listed.append({"uid": _uid(issue), "attrs": attrs, "parents": []})
    return listed


REGO = """
package repositories
import rego.v1
teams := graph.reachable(data.up, {input.user})
held contains data.strength[entry.role] if {
  some entry in data.roles[input.repository]
  entry.team in teams
}
default allow := false
allow if { some strength in held; strength >= data.least[input.action] }
allow if { input.action == "delete_issue"; input.reporter == input.user; count(held) > 0 }
"""


def _regorus(name: str, given: World) -> Peer:
    import regorus

    engine = regorus.Engine()
    engine.add_policy("repositories.rego", REGO)
    roles: dict[str, list[dict[str, str]]] = {}
    for team, of, role in given.role:
        roles.setdefault(of, []).append({"team": team, "role": role})
    strength = {role: i for i, role in enumerate(ROLES)}
    least = {action: strength[role] for action, role in LEAST.items()}
    engine.add_data(
        {"up": edges(given.member), "roles": roles, "strength": strength, "least": least}
    )
    issues = {i: (place, by) for i, place, by in given.issue}

    def form(request: Mapping[str, Any]) -> Any:
        what = request["args"]
        place, by = issues[what["issue"]] if "issue" in what else (what["repository"], "")
        return {
            "action": request["action"],
            "user": request["agent"]["id"],
            "repository": place,
            "reporter": by,
        }

    def answer(request: Any) -> str:
        engine.set_input(request)
        return "allow" if engine.eval_rule("data.repositories.allow") else "deny"

    return Peer(name, answer, form, "validation, firings, messages, finding the issue")
