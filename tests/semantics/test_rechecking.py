"""Checking anew where few modules changed: as if everything had been checked."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from policylang.semantics.checker import check
from policylang.semantics.program import Program
from policylang.semantics.rechecking import recheck
from policylang.syntax import tree
from tests.semantics.checking import module, standard_module

MONEY = """module money version "1.0"
enum Tier { free, pro }
type Usd = Decimal(2) in 0.00 .. 1_000.00
type Prices = List[Usd]
fact customer { id: String key, tier: Tier, lines: List[{ sku: String, prices: Prices }] }
facts holiday { on: Date }
param most: Usd = 10.00
decision note: String default "none"
table cap (tier: Tier, most: Usd) { | free | 5.00 | | pro | 50.00 | }
define paying(C) reads "{C} pays" if customer(id: C, tier: pro)
define regular(C) if paying(C) and not holiday(on: date(now, "UTC"))
action credit { amount: Usd, tags: Set[String] }
action debit { amount: Usd, tags: Set[String] }
action group moves = credit, debit
limit few: moves to 3 in 1 day
rule small: allow credit if credit.amount < most because "{credit.amount} is small"
rule noted: set note = "seen" priority 2
never large: allow debit if debit.amount > 500.00
"""
SHOP = """module shop version "2.0"
use money as m
use std.approvals
action refund { customer_id: String, amount: m.Usd, items: List[String] }
rollout by refund.customer_id
canary if m.paying(refund.customer_id)
promote when shadow: decisions >= 10 and errors == 0
action group out = refund, m.debit
rule ok: allow refund if m.regular(refund.customer_id) and refund.amount < m.most overrides no
rule no: deny out if m.customer.tier == free
"""
DESK = """module desk version "1.0"
use shop
param hours: Int in 1 .. 24 = 8
action open { at: DateTime }
rule opening: allow open if shop.m_closed(3) or hours > 4
""".replace("shop.m_closed(3) or ", "")
MAIL = """module mail version "1.0"
param daily: Int = 5
facts block { address: String }
action send { to: String, body: String }
rule send: allow send if not block(address: send.to)
limit per_day: send to daily per send.to in 24 hours
test sending { when send { to: "a", body: "b" } expect allow }
""".partition("test sending")[0]
STOP = """module stop version "1.0"
optional fact halted { why: String }
rule halt: deny any if halted.why != "" because "stopped: {halted.why}"
"""
ALL = {"money": MONEY, "shop": SHOP, "desk": DESK, "mail": MAIL}

CHANGES: dict[str, tuple[str, str]] = {
    "a condition": ("credit.amount < most", "credit.amount <= most"),
    "a param": ("param most: Usd = 10.00", "param most: Usd = 11.00"),
    "a table": ("| free | 5.00 |", "| free | 6.00 |"),
    "a type": ("1_000.00", "2_000.00"),
    "a field of an action": (
        "action debit { amount: Usd,",
        "action debit { why: String, amount: Usd,",
    ),
    "a further action": ("action group moves", "action hold { amount: Usd }\naction group moves"),
    "a further definition": (
        "define regular(C) if",
        "define early(C) if paying(C)\ndefine regular(C) if",
    ),
    "a stratum": (
        "define paying(C) reads",
        "define paying(C) if customer(id: C) and not cap(tier: pro, most: 1.00)\ndefine paying(C) reads",
    ),
    "another limit": (
        "limit few: moves to 3",
        "limit fewer: credit to 9 in 1 day\nlimit few: moves to 2",
    ),
    "a list less": ("lines: List[{ sku: String, prices: Prices }] }", "name: String }"),
    "one rule less": ("never large: allow debit if debit.amount > 500.00\n", ""),
    "a standard module": ('"2.0"\n', '"2.0"\nuse std.money\n'),
    "one standard module less": ("use std.approvals\n", ""),
    "no canary": ("canary if m.paying(refund.customer_id)\n", ""),
    "its use": ("use shop\n", "use mail\n"),
    "a limit's bound": ("param daily: Int = 5", "param daily: Int = 6"),
}


def _modules(texts: Mapping[str, str]) -> list[tree.Module]:
    return [module(text, name) for name, text in texts.items()]


def _checked(texts: Mapping[str, str], params: Mapping[str, object]) -> Program:
    result = check(_modules(texts), load=standard_module, params=params, lints=False)
    assert result.program is not None, [str(d) for d in result.diagnostics]
    return result.program


def _again(
    before: Program, texts: Mapping[str, str], changed: set[str], params: Mapping[str, object]
) -> Program | None:
    return recheck(before, _modules(texts), changed, load=standard_module, params=params)


def _told(program: Program) -> str:
    """Everything in a program, with the order of everything."""
    return repr(program)


def _changed(texts: Mapping[str, str], old: str, new: str) -> tuple[dict[str, str], set[str]]:
    after = {name: text.replace(old, new) for name, text in texts.items()}
    return after, {name for name in texts if after[name] != texts[name]}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_gives_the_program_that_checking_everything_gives(what: str) -> None:
    """Whatever changes in one module, the program is the same in every part and every order, overrides of params and
    digest included, and is told from what the change reaches."""
    params = {"mail.daily": 7, "money.most": "12.50"}
    after, changed = _changed(ALL, *CHANGES[what])
    assert len(changed) == 1
    found = _again(_checked(ALL, params), after, changed, params)
    assert found is not None
    assert _told(found) == _told(_checked(after, params))


def test_changes_one_after_the_other_add_up() -> None:
    """A program that was put together is as good a beginning as one that was checked."""
    chance = random.Random(8)
    order = [what for what in CHANGES if what not in ("its use", "a list less")]
    chance.shuffle(order)
    texts: dict[str, str] = dict(ALL)
    program: Program | None = _checked(texts, {})
    for what in order:
        texts, changed = _changed(texts, *CHANGES[what])
        assert program is not None
        program = _again(program, texts, changed, {})
    assert program is not None
    assert _told(program) == _told(_checked(texts, {}))


def test_modules_that_come_and_go_are_told_from_the_others() -> None:
    """A module that is there no more leaves nothing behind, and one that is new is where its name has it."""
    without = {name: text for name, text in ALL.items() if name != "mail"}
    for one, other in ((ALL, without), (without, ALL)):
        found = _again(_checked(one, {}), other, set(), {})
        assert found is not None
        assert _told(found) == _told(_checked(other, {}))


def test_what_a_change_does_not_reach_is_shared() -> None:
    """Rules of modules that do not use what changed are the very same, and not equal ones."""
    before = _checked(ALL, {})
    after, changed = _changed(ALL, *CHANGES["a limit's bound"])
    found = _again(before, after, changed, {})
    assert found is not None
    known = {rule.name: rule for rule in before.rules}
    others = [rule for rule in found.rules if not rule.name.startswith("mail.")]
    assert others
    assert all(known[rule.name] is rule for rule in others)


def test_what_speaks_of_all_actions_stays_as_long_as_they_do() -> None:
    """A rule about `any` in another module is kept where no action changes; else everything has to be checked."""
    texts = {**ALL, "stop": STOP}
    before = _checked(texts, {})
    after, changed = _changed(texts, *CHANGES["a limit's bound"])
    found = _again(before, after, changed, {})
    assert found is not None
    assert _told(found) == _told(_checked(after, {}))
    for what in ("a further action", "a field of an action"):
        after, changed = _changed(texts, *CHANGES[what])
        assert _again(before, after, changed, {}) is None
    after, changed = _changed(texts, "stopped:", "halted:")
    assert _again(before, after, changed, {}) is None


WRONG = (
    ("an error in what changed", "credit.amount < most", "credit.amount < nothing"),
    ("an error in what uses it", "define paying(C)", "define payed(C)"),
    ("a module that others use is gone", MONEY, ""),
    ("a circle of uses", 'module money version "1.0"', 'module money version "1.0"\nuse desk'),
)


@pytest.mark.parametrize(("what", "old", "new"), WRONG)
def test_what_is_wrong_is_for_the_checker_to_say(what: str, old: str, new: str) -> None:
    """Modules that have errors together give no program here."""
    after, changed = _changed(ALL, old, new)
    assert changed, what
    there = {name: text for name, text in after.items() if text}
    assert _again(_checked(ALL, {}), there, changed, {}) is None


def test_it_does_no_harm_to_say_that_more_changed() -> None:
    """Which modules are looked at anew is a matter of time, and not of the program."""
    before = _checked(ALL, {})
    after, changed = _changed(ALL, *CHANGES["a table"])
    for names in (changed, changed | {"mail"}, set(ALL)):
        found = _again(before, after, names, {})
        assert found is not None
        assert _told(found) == _told(_checked(after, {}))
