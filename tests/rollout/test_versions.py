"""Published versions: immutable, complete in the store, and told apart by what they mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from policylang import loads
from policylang.errors import PolicyInvalid
from policylang.rollout.composing import Composer
from policylang.rollout.differences import Change, compare, text_difference
from policylang.rollout.publishing import Publication
from policylang.rollout.versions import all_versions, the_version
from policylang.trace.state import StateUnavailableError
from policylang.trace.store import TraceStore
from policylang.trace.verify import verify
from tests.rollout.shop import path_of, put, text

ROWS = """module shop version "1.0.0"
facts holiday {{ on: Date }}
table cap (pieces: Int) {{ | {cap} | }}
action ship {{ on: Date }}
rule workday: allow ship if not holiday(on: ship.on) and cap(pieces: 1)
"""


def refused(store: TraceStore, *texts: str, **given: object) -> list[str]:
    """The codes of what is wrong with a publication."""
    with pytest.raises(PolicyInvalid) as raised:
        put(store, *texts, **given)
    return [diagnostic.code for diagnostic in raised.value.diagnostics]


def test_a_version_is_in_the_store_and_in_its_chain(store: TraceStore) -> None:
    """What was published is found by its name, with its text, and as a record that verifies."""
    put(store, text("1.0.0"))
    with store.state.read() as reading:
        version = the_version(reading, "shop@1.0.0")
    records = [record for record in store.records() if record.kind == "module"]
    assert version.text == text("1.0.0")
    assert [record.body["text"] for record in records] == [version.text]
    assert records[0].body["content"] == version.content
    with store.view() as view:
        assert verify(view).holds


def test_a_module_of_tests_alone_is_not_published(store: TraceStore) -> None:
    """Tests that lie beside a policy need no version, and are no part of what is published."""
    tests = 'module shop_tests use shop fixture some {} test "t" { when shop.ship expect deny }'
    put(store, text("1.0.0"), tests)
    with store.state.read() as reading:
        assert {version.module for version in all_versions(reading)} == {"shop"}


def test_a_version_never_changes(store: TraceStore) -> None:
    """The same version with another content is refused with the difference, and the first one stays."""
    put(store, text("1.0.0", most=5))
    with pytest.raises(PolicyInvalid) as raised:
        put(store, text("1.0.0", most=6))
    assert raised.value.diagnostics[0].code == "PL0902"
    assert raised.value.diagnostics[0].notes == ("changed: param most: value: 5 -> 6",)
    with store.state.read() as reading:
        assert the_version(reading, "shop@1.0.0").text == text("1.0.0", most=5)


def test_layout_and_comments_are_no_other_content(store: TraceStore) -> None:
    """A text that means the same has the same digest of meaning and another digest of text; it is not published again."""
    first = put(store, text("1.0.0"))[0]
    again = put(store, text("1.0.0").replace("rule few", "# few\n\nrule   few"))[0]
    other = put(store, text("1.0.1").replace("rule few", "# few\n\nrule   few"))[0]
    assert again.publication is Publication.RELAID
    assert again.version == first.version
    assert other.version.digest != first.version.digest
    assert put(store, text("1.0.0"))[0].publication is Publication.UNCHANGED


def test_params_and_reference_data_are_part_of_a_version(store: TraceStore) -> None:
    """Another value of a param, other rows of reference data or of a table are another content."""
    put(store, text("1.0.0"), params={"most": 7})
    assert refused(store, text("1.0.0"), params={"most": 8}) == ["PL0902"]
    assert refused(store, text("1.0.0")) == ["PL0902"]
    rows = [{"on": "2026-12-25"}]
    put(store, ROWS.format(cap=1).replace("shop", "depot"), reference={"holiday": rows})
    changed = ROWS.format(cap=1).replace("shop", "depot")
    assert refused(store, changed, reference={"holiday": []}) == ["PL0902"]
    table = ROWS.format(cap=2).replace("shop", "depot")
    assert refused(store, table, reference={"holiday": rows}) == ["PL0902"]


def test_what_was_published_decides_as_it_did(store: TraceStore) -> None:
    """A program composed from the store has the digest, the params and the reference data of the bundle."""
    rows = [{"on": "2026-12-25"}]
    source = ROWS.format(cap=1)
    put(store, source, reference={"holiday": rows})
    with store.state.read() as reading:
        composed = Composer(store.state).compose(all_versions(reading))
    with loads(source, reference={"holiday": rows}) as bundle:
        assert composed.program.digest == bundle.program.digest
        assert composed.digests == bundle.reference.digests
        for day in ("2026-12-25", "2026-12-28"):
            asked = {"action": "ship", "args": {"on": day}}
            assert composed.bundle.decide(asked) == bundle.decide(asked)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("module shop action ship rule all: allow ship", "PL0901"),
        ('module shop version "1" rule all: allow ship', "PL0201"),
        ('module shop version "1" rule all: alow ship', "PL0110"),
    ],
)
def test_what_cannot_be_published_says_why(store: TraceStore, source: str, code: str) -> None:
    """A module without a version, or with errors, is refused with the diagnostic, and nothing is published."""
    with pytest.raises(PolicyInvalid) as raised:
        put(store, source)
    assert code in [diagnostic.code for diagnostic in raised.value.diagnostics]
    with store.state.read() as reading:
        assert all_versions(reading) == ()


def test_a_param_out_of_range_is_not_published(store: TraceStore) -> None:
    """A value that the declaration of a param does not allow is refused before anything is published."""
    with pytest.raises(PolicyInvalid):
        put(store, text("1.0.0"), params={"most": 5000})
    assert not [record for record in store.records() if record.kind == "module"]


def test_a_bundle_is_published_whole_or_not_at_all(store: TraceStore) -> None:
    """Where one module of a bundle is refused, no other is published."""
    put(store, text("1.0.0"))
    depot = 'module depot version "1.0.0" action open rule all: allow open'
    assert refused(store, depot, text("1.0.0", most=9)) == ["PL0902"]
    with store.state.read() as reading:
        assert [version.name for version in all_versions(reading)] == ["shop@1.0.0"]


def test_names_of_versions_that_are_none_say_what_there_is(store: TraceStore) -> None:
    """A name without a version, of an unknown module or version, is told apart, with what is published."""
    put(store, text("1.0.0"))
    found = []
    for name in ("shop", "shp@1.0.0", "shop@2.0.0"):
        with store.state.read() as reading, pytest.raises(PolicyInvalid) as raised:
            the_version(reading, name)
        found.append((raised.value.diagnostics[0].code, raised.value.diagnostics[0].hint))
    assert found == [
        ("PL0905", "write MODULE@VERSION, such as `refunds@1.4.0`"),
        ("PL0904", "did you mean `shop`?"),
        ("PL0903", "published are 1.0.0"),
    ]


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A state whose tables are of a later version of policylang is not touched."""
    with TraceStore.open(path_of(tmp_path)) as store:
        put(store, text("1.0.0"))
    state = sqlite3.connect(f"{path_of(tmp_path)}.state")
    with state:
        state.execute("UPDATE areas SET statements = 99 WHERE name = 'versions'")
    state.close()
    newer = pytest.raises(StateUnavailableError, match="newer version")
    with TraceStore.open(path_of(tmp_path)) as store, newer:
        put(store, text("1.1.0"))


def test_a_difference_tells_what_of_a_rule_changed(store: TraceStore) -> None:
    """Rules are added, removed, or changed in their condition, their effect, or what else they say."""
    before = put(
        store,
        text(
            "1.0.0",
            more="rule gone: deny ship if ship.pieces == 0\nrule kept: deny ship if ship.pieces > 99",
        ),
    )[0].version
    after = put(
        store,
        text(
            "1.1.0",
            most=8,
            more='rule kept: require approval(by: "boss") for ship if ship.pieces > 90',
        ),
    )[0].version
    found = compare(before, after)
    assert [(d.change, d.kind, d.name) for d in found] == [
        (Change.CHANGED, "param", "most"),
        (Change.REMOVED, "rule", "gone"),
        (Change.CHANGED, "rule", "kept"),
    ]
    assert [part.name for part in found[2].parts] == ["effect", "condition"]
    assert found[2].parts[1].after == "ship.pieces > 90"
    assert '-module shop version "1.0.0"' in text_difference(before, after)


def test_what_means_the_same_is_no_difference(store: TraceStore) -> None:
    """Another order of statements, other comments and other spellings of numbers are no difference."""
    one = put(store, text("1.0.0", more="rule a: deny ship if ship.pieces > 1_000\n"))[0].version
    moved = text("1.1.0").replace(
        "rollout by", "## None.\nrule a: deny ship if (ship.pieces > 1000)\nrollout by"
    )
    other = put(store, moved)[0].version
    assert compare(one, other) == ()


def test_clauses_of_a_definition_are_compared_one_by_one(store: TraceStore) -> None:
    """A clause that is added to a definition is a difference of its own."""
    near = 'define near(P) if P in ["Ulm"] and ship.to == P\n'
    one = put(store, text("1.0.0", more=near))[0].version
    far = near + 'define near(P) if P in ["Bern"] and ship.to == P\n'
    other = put(store, text("1.1.0", more=far))[0].version
    assert [str(difference) for difference in compare(one, other)] == ["added: define near (2)"]
