"""The refund policy of four rules, in policylang and in each peer that is installed."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from benchmarks.peers.timing import Absent, Peer
from policylang import loads
from policylang.bundle.evaluators import EvaluatorName
from policylang.decide.json import decision_to_json, facts_to_json, firings_to_json

POLICY = """
module refunds version "1.4.0"
enum Tier { free, pro, enterprise }
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String, tier: Tier, age_days: Int in 0 .., flagged: Bool = false }
action refund { customer_id: String, amount: Decimal(2) in 0.00 .. 1_000_000.00 }
param auto_limit: Decimal(2) = 200.00
table refund_cap (tier: Tier, cap: Decimal(2)) {
  | free       |    50.00 |
  | pro        |   500.00 |
  | enterprise | 5_000.00 |
}
rule small_refund: allow refund
  if agent.scopes has "refunds:write" and refund.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
  because "a refund of {refund.amount} is within {auto_limit}"
rule large_refund: require approval(by: "manager", within: 4 hours) for refund
  if agent.scopes has "refunds:write" and refund.amount > auto_limit
  because "{refund.amount} is above {auto_limit}"
rule fraud: deny refund if customer.flagged
  because "customer {refund.customer_id} is under review"
rule too_much: deny refund if refund.amount > 10_000.00 because "no refund is above 10000.00"
"""

AMOUNTS = ("0.00", "48.00", "50.00", "50.01", "200.00", "200.01", "500.00", "10000.00", "10000.01")


def grid() -> list[dict[str, Any]]:
    """Requests around each limit of the policy, for each tier, flagged and not, with the scope and without."""
    return [
        {
            "action": "refund",
            "args": {"customer_id": "c1", "amount": amount},
            "agent": {"id": "bot-7", "scopes": ["refunds:write"] if scoped else ["read"]},
            "facts": {"customer": {"id": "c1", "tier": tier, "age_days": 400, "flagged": flagged}},
            "now": "2026-11-22T10:00:00Z",
        }
        for amount, tier, flagged, scoped in itertools.product(
            AMOUNTS, ("free", "pro", "enterprise"), (False, True), (True, False)
        )
    ]


def different(count: int) -> list[dict[str, Any]]:
    """Requests of which no two have one amount, one customer and one agent."""
    requests = []
    for i, request in zip(range(count), itertools.cycle(grid()), strict=False):
        customer = {**request["facts"]["customer"], "id": f"c{i}", "age_days": i}
        amount = f"{i * 7919 % 1_200_000 / 100:.2f}"
        requests.append(
            {
                **request,
                "args": {"customer_id": f"c{i}", "amount": amount},
                "agent": {**request["agent"], "id": f"bot-{i}"},
                "facts": {"customer": customer},
            }
        )
    return requests


def flat(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request for those that know no decimals: one object, the amount in cents."""
    customer = request["facts"]["customer"]
    return {
        "amount": int(Decimal(request["args"]["amount"]) * 100),
        "tier": customer["tier"],
        "flagged": customer["flagged"],
        "scopes": request["agent"]["scopes"],
    }


def same(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request as it is."""
    return request


def peers(wanted: Sequence[str] = ()) -> tuple[list[Peer], list[Absent]]:
    """Every peer that is installed, plain Python first, and those that are not."""
    found: list[Peer] = []
    absent: list[Absent] = []
    for name, make in MAKERS.items():
        if wanted and not any(word in name for word in wanted):
            continue
        try:
            found.append(make(name))
        except ImportError as problem:
            absent.append(Absent(name, f"not installed ({problem})"))
    return found, absent


def _plain(name: str) -> Peer:
    caps = {"free": 5_000, "pro": 50_000, "enterprise": 500_000}

    def answer(request: Any) -> str:
        amount = request["amount"]
        if request["flagged"] or amount > 1_000_000:
            return "deny"
        if "refunds:write" not in request["scopes"]:
            return "deny"
        if amount > 20_000:
            return "needs_approval"
        return "allow" if amount <= caps[request["tier"]] else "deny"

    return Peer(name, answer, flat, "validation, firings, messages")


def _pydantic(name: str) -> Peer:
    from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")

    class Args(Strict):
        customer_id: str
        amount: Decimal = Field(ge=0, le=1_000_000, decimal_places=2)

    class Agent(Strict):
        id: str
        scopes: frozenset[str]

    class Customer(Strict):
        id: str
        tier: Literal["free", "pro", "enterprise"]
        age_days: int = Field(ge=0)
        flagged: bool = False

    class Facts(Strict):
        customer: Customer

    class Request(Strict):
        action: Literal["refund"]
        args: Args
        agent: Agent
        facts: Facts
        now: AwareDatetime

    most, auto = Decimal(10_000), Decimal(200)
    caps = {"free": Decimal(50), "pro": Decimal(500), "enterprise": Decimal(5_000)}

    def answer(given: Any) -> str:
        request = Request.model_validate(given)
        amount, customer = request.args.amount, request.facts.customer
        if customer.flagged or amount > most:
            return "deny"
        if "refunds:write" not in request.agent.scopes:
            return "deny"
        if amount > auto:
            return "needs_approval"
        return "allow" if amount <= caps[customer.tier] else "deny"

    # The models are made in this function: pydantic is told where their names are.
    for model in (Args, Agent, Customer, Facts, Request):
        model.model_rebuild(_types_namespace={**globals(), **locals()})
    return Peer(name, answer, same, "firings, messages")


def _policylang(evaluator: EvaluatorName) -> Callable[[str], Peer]:
    """The outcome with the rules that decided and all firings; messages are made when they are asked for."""

    def make(name: str) -> Peer:
        bundle = loads(POLICY, evaluator=evaluator)

        def answer(request: Any) -> str:
            decision = bundle.decide(request)
            _ = decision.determining, decision.firings
            return decision.outcome.value

        return Peer(name, answer, same, "")

    return make


def _everything(name: str) -> Peer:
    """All that there is of a decision: its facts, its firings and its messages, and the JSON of it."""
    bundle = loads(POLICY, evaluator="plan")
    schema, program = bundle.program.schema, bundle.program

    def answer(request: Any) -> str:
        case = bundle.case(request)
        assert case.facts is not None
        _ = facts_to_json(case.facts, schema)
        _ = firings_to_json(case.decision.firings, program)
        return str(decision_to_json(case.decision)["outcome"])

    return Peer(name, answer, same, "")


REGO = """
package refunds
import rego.v1
caps := {"free": 5000, "pro": 50000, "enterprise": 500000}
scoped if "refunds:write" in input.scopes
denied if input.flagged
denied if input.amount > 1000000
small if { scoped; input.amount <= 20000; input.amount <= caps[input.tier] }
large if { scoped; input.amount > 20000 }
default answer := "deny"
answer := "needs_approval" if { large; not denied }
answer := "allow" if { small; not large; not denied }
"""


def _regorus(name: str) -> Peer:
    import regorus

    engine = regorus.Engine()
    engine.add_policy("refunds.rego", REGO)

    def answer(request: Any) -> str:
        engine.set_input(request)
        return str(engine.eval_rule("data.refunds.answer"))

    return Peer(name, answer, flat, "validation, firings, messages")


def _regopy(name: str) -> Peer:
    from regopy import Interpreter

    rego = Interpreter()
    rego.add_module("refunds.rego", REGO)

    def answer(request: Any) -> str:
        rego.set_input(request)
        return str(rego.query("data.refunds.answer").results[0].expressions[0])

    return Peer(name, answer, flat, "validation, firings, messages")


CEDAR = """
permit (principal, action == Action::"refund", resource)
when { context.scopes.contains("refunds:write") && context.amount <= 20000 &&
  ((context.tier == "free" && context.amount <= 5000) ||
   (context.tier == "pro" && context.amount <= 50000) || context.tier == "enterprise") };
permit (principal, action == Action::"refund", resource)
when { context.scopes.contains("refunds:write") && context.amount > 20000 };
forbid (principal, action == Action::"refund", resource) when { context.flagged };
forbid (principal, action == Action::"refund", resource) when { context.amount > 1000000 };
"""


def _cedar(name: str) -> Peer:
    import cedarpy

    policies = cedarpy.PolicySet.from_str(CEDAR)
    entities = cedarpy.Entities.from_json_str("[]")
    allowed = cedarpy.Decision.Allow

    def answer(request: Any) -> str:
        found = cedarpy.is_authorized(request, policies, entities)
        if found.decision is not allowed:
            return "deny"
        return "needs_approval" if found.diagnostics.reasons == ["policy1"] else "allow"

    def form(request: Mapping[str, Any]) -> Any:
        return {
            "principal": {"type": "Agent", "id": request["agent"]["id"]},
            "action": {"type": "Action", "id": "refund"},
            "resource": {"type": "Customer", "id": "c1"},
            "context": flat(request),
        }

    return Peer(name, answer, form, "validation, messages")


CHOICE = (
    'flagged || amount > 1000000 || !("refunds:write" in scopes) ? "deny" : '
    'amount > 20000 ? "needs_approval" : '
    'amount <= {"free": 5000, "pro": 50000, "enterprise": 500000}[tier] ? "allow" : "deny"'
)


def _cel(name: str) -> Peer:
    import cel

    program = cel.compile(CHOICE)
    return Peer(
        name, lambda request: str(program.execute(request)), flat, "validation, firings, messages"
    )


def _zen(name: str) -> Peer:
    import zen

    chosen = (
        'flagged or amount > 1000000 or not ("refunds:write" in scopes) ? "deny" : '
        'amount > 20000 ? "needs_approval" : (amount <= (tier == "free" ? 5000 : '
        'tier == "pro" ? 50000 : 500000) ? "allow" : "deny")'
    )
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
        {
            "id": "rules",
            "type": "expressionNode",
            "name": "rules",
            "position": {"x": 1, "y": 0},
            "content": {"expressions": [{"id": "1", "key": "answer", "value": chosen}]},
        },
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 2, "y": 0}},
    ]
    edges = [
        {"id": f"e{a}", "sourceId": a, "targetId": b, "type": "edge"}
        for a, b in (("in", "rules"), ("rules", "out"))
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    return Peer(
        name,
        lambda request: str(decision.evaluate(request)["result"]["answer"]),
        flat,
        "validation, firings, messages",
    )


def _rule_engine(name: str) -> Peer:
    from rule_engine import Rule

    denied = Rule("flagged or amount > 1000000")
    large = Rule("'refunds:write' in scopes and amount > 20000")
    small = Rule(
        "'refunds:write' in scopes and amount <= 20000 and (tier == 'free' and amount <= 5000"
        " or tier == 'pro' and amount <= 50000 or tier == 'enterprise')"
    )

    def answer(request: Any) -> str:
        if denied.matches(request):
            return "deny"
        if large.matches(request):
            return "needs_approval"
        return "allow" if small.matches(request) else "deny"

    return Peer(name, answer, flat, "validation, messages")


CASBIN_MODEL = """
[request_definition]
r = req
[policy_definition]
p = cond, id, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = eval(p.cond)
"""


def _casbin(name: str) -> Peer:
    import casbin

    model = casbin.Model()
    model.load_model_from_text(CASBIN_MODEL)
    enforcer = casbin.Enforcer(model)
    scoped = "r.req.write"
    enforcer.add_policy("r.req.flagged", "fraud", "deny")
    enforcer.add_policy("r.req.amount > 1000000", "too_much", "deny")
    enforcer.add_policy(f"{scoped} and r.req.amount > 20000", "large", "allow")
    small = f"{scoped} and r.req.amount <= 20000 and r.req.amount <= r.req.cap"
    enforcer.add_policy(small, "small", "allow")
    caps = {"free": 5_000, "pro": 50_000, "enterprise": 500_000}

    class Asked:
        """A request as casbin reads it: an object, what its expressions cannot say worked out before."""

        def __init__(self, given: Mapping[str, Any]) -> None:
            self.flagged, self.amount = given["flagged"], given["amount"]
            self.write = "refunds:write" in given["scopes"]
            self.cap = caps[given["tier"]]

    def answer(request: Any) -> str:
        asked = Asked(request)
        if not enforcer.enforce(asked):
            return "deny"
        return "needs_approval" if asked.amount > 20_000 else "allow"

    return Peer(name, answer, flat, "validation, firings, messages")


FATHOM_FACTS = """
templates:
  - name: refund
    slots:
      - {name: amount, type: integer, required: true}
      - {name: tier, type: symbol, required: true}
      - {name: flagged, type: symbol, required: true}
      - {name: scoped, type: symbol, required: true}
"""
FATHOM_MODULES = """
modules: [{name: refunds, description: refunds}]
focus_order: [refunds]
"""


def _fathom_rules() -> str:
    """Of the rules that fire the one of least salience decides."""
    rules = [
        ("small-free", 100, "allow", {"scoped": "yes", "tier": "free", "amount <": "5001"}),
        ("small-pro", 99, "allow", {"scoped": "yes", "tier": "pro", "amount <": "20001"}),
        ("small-ent", 98, "allow", {"scoped": "yes", "tier": "enterprise", "amount <": "20001"}),
        ("large", 90, "escalate", {"scoped": "yes", "amount >": "20000"}),
        ("fraud", 50, "deny", {"flagged": "yes"}),
        ("too-much", 49, "deny", {"amount >": "1000000"}),
    ]
    words = {"": "equals", "<": "less_than", ">": "greater_than"}
    made = []
    for name, salience, action, conditions in rules:
        tested = [
            {"slot": slot, "expression": f"{words[sign]}({value})"}
            for (slot, _, sign), value in ((k.partition(" "), v) for k, v in conditions.items())
        ]
        when = [{"template": "refund", "conditions": tested}]
        then = {"action": action, "reason": name}
        made.append({"name": name, "salience": salience, "when": when, "then": then})
    # JSON is YAML.
    return json.dumps({"module": "refunds", "ruleset": "refunds", "version": "1.0", "rules": made})


def _fathom(name: str) -> Peer:
    from fathom import Engine

    with tempfile.TemporaryDirectory() as folder:
        texts = {"templates": FATHOM_FACTS, "modules": FATHOM_MODULES, "rules": _fathom_rules()}
        for part, text in texts.items():
            Path(folder, part).mkdir()
            Path(folder, part, f"{part}.yaml").write_text(text, encoding="utf-8")
        engine = Engine.from_rules(folder)
    words = {"allow": "allow", "deny": "deny", "escalate": "needs_approval"}

    def form(request: Mapping[str, Any]) -> dict[str, Any]:
        given = flat(request)
        scoped = "refunds:write" in given.pop("scopes")
        flagged = "yes" if given["flagged"] else "no"
        return {**given, "flagged": flagged, "scoped": "yes" if scoped else "no"}

    def answer(request: Any) -> str:
        return words[engine.evaluate_once([("refund", request)]).decision]

    return Peer(name, answer, form, "bindings of firings")


MAKERS: Mapping[str, Callable[[str], Peer]] = {
    "plain Python": _plain,
    "policylang (plan)": _policylang("plan"),
    "policylang, all of it": _everything,
    "policylang (asp)": _policylang("asp"),
    "pydantic model and ifs": _pydantic,
    "cel (Rust)": _cel,
    "regorus": _regorus,
    "rule-engine": _rule_engine,
    "cedarpy": _cedar,
    "regopy": _regopy,
    "pycasbin": _casbin,
    "zen-engine": _zen,
    "fathom-rules": _fathom,
}
