"""Names across modules, params and digests."""

from __future__ import annotations

import pytest

from policylang.semantics.checker import check, resolve_modules
from policylang.semantics.program import Constant, Match, Test
from tests.semantics.checking import checked, codes_of, errors, module, program_of, standard_module

MONEY = """module money
enum Tier { free, pro }
type Usd = Decimal(2) in 0.00 .. 100.00
fact customer { id: String key, tier: Tier }
param most: Usd = 10.00
define paying(C) if customer(id: C, tier: pro)
action credit { amount: Usd }
rule small: allow credit if credit.amount < most
"""
SHOP = """module shop
use money
use money as m
action refund { amount: money.Usd, tier: m.Tier }
rule a: allow refund
  if money.customer.tier == money.Tier.pro and m.paying(m.customer.id) and refund.amount < m.most
rule b: deny refund if refund.tier == pro overrides money.small
"""


def test_names_of_a_used_module_are_qualified_by_its_name_or_alias() -> None:
    """What another module declares is read under the name it is used by, and is the same thing."""
    program = program_of(MONEY, SHOP)
    rule = next(rule for rule in program.rules if rule.name == "shop.a")
    matched = [literal.name for literal in rule.body if isinstance(literal, Match)]
    assert matched == ["money.customer", "money.customer", "money.paying", "shop.refund"]
    overriding = next(rule for rule in program.rules if rule.name == "shop.b")
    assert overriding.overrides == ("money.small",)


def test_the_order_of_modules_does_not_matter_for_names() -> None:
    """A module may stand before the one that it uses."""
    assert errors(SHOP, MONEY) == []


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        ([SHOP], ["PL0205", "PL0205"]),
        ([MONEY, MONEY], ["PL0208"]),
        (["module a\nuse b", "module b\nuse a"], ["PL0206"]),
        (["module a\nuse b", "module b\nuse c", "module c\nuse a"], ["PL0206"]),
        (["module a\nuse a"], ["PL0207"]),
        ([MONEY, "module s\nuse money as credit\naction credit"], ["PL0202"]),
        ([MONEY, "module s\nuse money\naction a\nrule r: allow a if money.payin(3)"], ["PL0201"]),
        ([MONEY, "module s\naction a\nrule r: allow a if money.most > 3"], ["PL0201"]),
        ([MONEY, "module s\naction a\nrule r: allow a if paying(3)"], ["PL0201"]),
        ([MONEY, "module s\nuse money\naction a { x: money.Eur }\nrule r: allow a"], ["PL0201"]),
    ],
)
def test_modules_that_do_not_go_together(texts: list[str], codes: list[str]) -> None:
    """Each way in which modules do not fit has its code, and gives no others."""
    assert codes_of(*texts) == codes


def test_an_unknown_name_says_which_module_declares_it() -> None:
    """A name that another module declares is not just unknown: the hint says how to write it."""
    (problem,) = errors(MONEY, "module s\nuse money\naction a\nrule r: allow a if paying(a)")
    assert problem.hint == "write `money.paying`"
    (problem,) = errors(MONEY, "module s\naction a\nrule r: allow a if customer.id == 3")
    assert problem.hint == "module `money` declares it: add `use money`"


def test_a_module_is_loaded_once_however_often_it_is_used() -> None:
    """Modules that are used and not given are asked of the loader, once each."""
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(name)
        return standard_module(name)

    given = [module(f"module {n}\nuse std.approvals\nuse std.nothing", n) for n in ("a", "b")]
    found = resolve_modules(given, load)  # type: ignore[arg-type]
    assert asked == ["std.approvals", "std.nothing"]
    assert [m.header.name.text for m in found if m.header] == ["a", "b", "std.approvals"]


def test_what_broken_statements_would_have_declared_is_not_unknown() -> None:
    """A name that was lost to broken syntax gives no further complaint, and no program either."""
    text = "module a\naction go\nrule r: allow go if lost(1) and lost.x == 2"
    result = check([module(text)], lost=["lost"])
    assert result.diagnostics == ()
    assert result.program is None


# --- params -------------------------------------------------------------------------------------------


def _most(**params: object) -> Constant:
    program = checked(MONEY, params=params or {}).program
    assert program is not None
    (test,) = [x for x in program.rules[1].body if isinstance(x, Test)]
    constant = test.condition.arguments[1]  # type: ignore[union-attr]
    assert isinstance(constant, Constant)
    return constant


def test_a_param_is_a_constant_that_can_be_overridden() -> None:
    """A param stands in rules as its value, with its name; an override changes the value."""
    assert (str(_most().value), _most().param) == ("10.00", "money.most")
    assert str(_most(most="25.50").value) == "25.50"
    assert str(_most(**{"money.most": "3.00"}).value) == "3.00"


@pytest.mark.parametrize("given", ["1000.00", "x", None, True, "1.005"])
def test_an_override_is_held_to_the_declared_type(given: object) -> None:
    """A value outside of the param's type is refused with a diagnostic."""
    result = checked(MONEY, params={"most": given})
    assert [d.code for d in result.diagnostics] == ["PL0323"]


def test_an_override_of_an_unknown_param_is_refused() -> None:
    """A name that no module declares is not silently ignored."""
    (problem,) = checked(MONEY, params={"mostt": 3}).diagnostics
    assert problem.hint == "did you mean `most`?"


# --- digests ------------------------------------------------------------------------------------------


def _digests(text: str, **options: object) -> tuple[str, str, str]:
    program = checked(text, **options).program
    assert program is not None
    return program.digest, program.modules[0].digest, program.modules[0].meaning


def test_comments_and_layout_change_the_text_and_not_the_meaning() -> None:
    """The digest of a module is that of its text, its meaning that of its tree without layout."""
    spaced = MONEY.replace("action credit", "# money back\n\n## Give it back.\naction   credit")
    spaced = spaced.replace("100.00", "1_00.00")
    before, after = _digests(MONEY), _digests(spaced)
    assert before[2] == after[2]
    assert before[1] != after[1]
    assert before[0] != after[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [("< most", "<= most"), ("10.00", "11.00"), ("pro }", "gold }"), ("rule small", "rule tiny")],
)
def test_what_rules_say_is_their_meaning(old: str, new: str) -> None:
    """A change that a reader would call one changes the meaning."""
    changed = MONEY.replace(old, new).replace("tier: pro)", "tier: free)")
    assert _digests(changed)[2] != _digests(MONEY.replace("tier: pro)", "tier: free)"))[2]


def test_an_overridden_param_is_another_program_of_the_same_modules() -> None:
    """The digest of a program tells deployments apart that override params."""
    plain, changed = _digests(MONEY), _digests(MONEY, params={"most": "5.00"})
    assert plain[0] != changed[0]
    assert plain[1:] == changed[1:]
