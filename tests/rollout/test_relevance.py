"""Which actions a version can have a say in: told from words where they are plain, and else from its tree."""

from __future__ import annotations

import pytest

from policylang.rollout.relevance import Relevance
from policylang.syntax import tree
from tests.semantics.checking import module

TEXTS = {
    "money": 'module money version "1" action pay { to: String } rule r: allow pay',
    "shop": 'module shop version "1" use money action ship rule r: deny money.pay if money.pay.to == "x"',
    "mail": 'module mail version "1" action send rule r: allow send',
}


def _reaches(name: str, text: str) -> tuple[frozenset[str] | None, bool]:
    """The modules that a candidate can have a say in, and whether it had to be parsed for that."""
    relevance = Relevance({known: module(own) for known, own in TEXTS.items()})
    asked: list[str] = []

    def parsed() -> tree.Module:
        asked.append(name)
        return module(text)

    return relevance.modules(name, text, parsed), bool(asked)


@pytest.mark.parametrize(
    ("name", "change", "modules", "is_parsed"),
    [
        ("mail", ("allow send", "deny send"), {"mail"}, False),
        ("money", ("allow pay", "deny pay"), {"money", "shop"}, False),
        ("shop", ("== ", "!= "), {"money", "shop"}, False),
        ("mail", ("action send", "use money action send"), {"mail", "money"}, True),
        ("mail", ("allow send", 'allow send because "at any rate"'), {"mail"}, True),
        ("mail", ("allow send", 'allow send because "of use to us"'), {"mail"}, True),
        ("mail", ("allow send", "deny any"), None, True),
        ("mail", ("allow send", "deny all"), {"mail"}, False),
        ("mail", ("rule r: allow send", "action group all = any rule r: deny all"), None, True),
        ("mail", ("rule r", 'decision note: String default "" rule r'), None, True),
    ],
)
def test_a_candidate_reaches_what_its_module_is_joined_to(
    name: str, change: tuple[str, str], modules: set[str] | None, is_parsed: bool
) -> None:
    """By `use` in either direction; everything where it is about all actions, by whatever name; and a text without any
    word that could say so is not parsed."""
    text = TEXTS[name].replace(*change)
    assert text != TEXTS[name]
    found = _reaches(name, text)
    assert found == (None if modules is None else frozenset(modules), is_parsed)


def test_a_text_that_is_none_may_reach_everything() -> None:
    """Where the words do not tell and there is no tree, nothing is ruled out."""
    relevance = Relevance({known: module(own) for known, own in TEXTS.items()})
    assert relevance.modules("mail", "use use any", lambda: None) is None
