"""Erasure: what is personal is sealed in every file, is read back while its keys are there, and is gone with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from policylang.trace.archive import Archive
from policylang.trace.audit import audit
from policylang.trace.erasing import NothingToEraseError
from policylang.trace.keys import KEYS, KeyFile, Subject
from policylang.trace.programs import NotReplayableError
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import AsRecorded, Verdict, replay
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.verify import verify
from policylang.trace.writer import TraceUnavailableError
from tests.trace.deciding import bundle

POLICY = """
module shop version "1.0.0"
fact customer { id: String key, name: String normalize trim, lower personal, vip: Bool, tags: Set[String] personal, card: String? secret }
facts banned { name: String personal key }
action refund { amount: Decimal(2), iban: String? personal }
decision greeting: String default "-"
define listed(N) if banned(name: N)
define initial(P) if customer.name == N and N == P
rule small: allow refund if refund.amount <= 50.00 because "{refund.amount} for {customer.name}"
rule tagged: oblige note(tag: T) on refund if customer.tags(value: T)
rule hello: set greeting = "dear " + customer.name if customer.vip
rule more: require approval(by: customer.name) for refund if refund.amount > 50.00 and initial(P) and P != "x"
rule blocked: deny refund if customer.name == N and listed(N) because "{N} is banned"
"""

NAME, TAG, IBAN, CARD, BANNED = "zelda-fitz", "tag-quux", "de99-iban", "4111-card", "eve-banned"
PERSONAL = (NAME, TAG, IBAN, CARD, BANNED, NAME.upper())


def asked(id_: str = "c-17", amount: str = "12.50", **more: str) -> dict[str, Any]:
    """A refund for a customer, full of what is personal."""
    customer = {"id": id_, "name": f" {NAME.upper()}", "vip": True, "tags": [TAG], "card": CARD}
    return {
        "action": "refund",
        "now": "2026-11-20T09:00:00Z",
        "args": {"amount": amount, "iban": IBAN},
        "facts": {"customer": {**customer, **more}},
        "decisions": ["greeting"],
    }


def policy() -> Any:
    """The bundle, over one banned name."""
    return bundle(POLICY, reference={"banned": [{"name": BANNED}]})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of decisions of every kind about one customer, and one about another; half of it is folded."""
    path = tmp_path_factory.mktemp("store") / "traces.duckdb"
    with policy() as made, TraceStore.open(path) as store:
        for given in (asked(), asked(amount="80.00"), asked(name=BANNED), asked(amount="x")):
            id_ = store.record(made.case(given), agent="bot")
            arguments = {"amount": "12.50", "iban": IBAN, "to": NAME}
            store.outcome(id_, "executed", arguments=arguments, detail=f"paid to {NAME}")
        store.fold()
        store.record(made.case(asked("c-18")))
        store.record(made.case(asked()))
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of the store."""
    shutil.copytree(whole.parent, tmp_path / "store")
    return tmp_path / "store" / whole.name


def everything(path: Path) -> bytes:
    """The bytes of every file of a store."""
    return b"".join(p.read_bytes() for p in sorted(path.parent.rglob("*")) if p.is_file())


def found(path: Path) -> list[str]:
    """Which of the personal values stand anywhere in clear."""
    content = everything(path)
    return [value for value in PERSONAL if value.encode() in content]


def decisions(view: TraceView) -> list[Any]:
    """The records of decisions."""
    return list(view.records(Filter(kind="decision")))


def test_nothing_personal_stands_in_clear(path: Path) -> None:
    """No file of a store holds a personal or secret value, nor what was made of one, folded or not."""
    # The key file names the subject of each key, here a banned name that is a key itself.
    assert found(path) == [BANNED]
    with TraceStore.open(path) as store:
        store.erase(f"banned={BANNED}")
    assert found(path) == []
    assert b"12.50" in everything(path)
    assert (path.parent / ("traces.duckdb" + KEYS)).stat().st_mode & 0o777 == 0o600


def test_what_is_sealed_is_read_and_decided_again(path: Path) -> None:
    """While its keys are there a decision is shown, proved and replayed as if nothing were sealed."""
    with TraceStore.open(path) as store, store.view() as view:
        records = decisions(view)
        archive = Archive(view)
        assert [r.body["decision"]["outcome"] for r in records] == [
            "allow", "needs_approval", "deny", "deny", "allow", "allow",
        ]  # fmt: skip
        first = records[0]
        assert first.body["decision"]["reasons"][0]["message"] == f"12.50 for {NAME}"
        assert first.body["decision"]["values"]["shop.greeting"]["value"] == f"dear {NAME}"
        verdicts = [one.verdict for one in replay(records, AsRecorded(archive))]
        assert verdicts.count(Verdict.SAME) == 5
        assert archive.case(first).explanation().decision.determining == ("shop.small",)
        outcome = next(view.records(Filter(kind="outcome"))).body
        assert outcome["arguments"] == {"amount": "12.50", "iban": IBAN, "to": NAME}
        assert outcome["detail"] == f"paid to {NAME}"
        assert verify(view).holds
        archive.close()


def test_views_show_placeholders_and_values_where_asked_for(path: Path) -> None:
    """Views say `(sealed ...)` in the place of what is personal, equal for equal values, and the values on request."""
    query = "SELECT DISTINCT name FROM facts.customer ORDER BY 1"
    with TraceView(path, segments_of(path)) as view:
        shown = [name for (name,) in view.query(query)[1]]
        _, vips = view.query("SELECT count(*) FROM facts.customer WHERE vip AND id = 'c-17'")
        _, compared = view.query(
            audit("executed_otherwise").sql, dict(audit("executed_otherwise").params)
        )
    assert len(shown) == 3
    assert all(name.startswith("(sealed ") for name in shown)
    assert vips == [(4,)]
    assert not [row for row in compared if "iban: (sealed" in str(row[-1])]
    with TraceView(path, segments_of(path), personal=True) as view:
        assert [name for (name,) in view.query(query)[1]] == [BANNED, NAME]
        assert view.query("SELECT DISTINCT card FROM facts.customer")[1] == [("(secret)",)]
        found = view.records(Filter(fact=("customer", "name", NAME)))
        assert len(list(found)) == 4


def test_an_erased_subject_is_gone_everywhere(path: Path) -> None:
    """After an erasure no key of the subject is in any file, its decisions do not replay, and all else goes on."""
    with TraceStore.open(path) as store:
        keys = KeyFile(path.with_name(path.name + KEYS))
        (key,) = (k for k in keys.of([Subject("shop.customer=c-17")]))
        assert key.secret in everything(path)
        erased = store.erase("customer=c-17", reason="asked for it")
        assert key.secret not in everything(path)
        record = store.get(erased.record)
        assert record is not None
        assert record.body == {
            "handles": [key.handle],
            "subjects": ["shop.customer=c-17"],
            "reason": "asked for it",
        }
        with store.view() as view:
            one, *_, other, last = decisions(view)
            archive = Archive(view)
            assert one.body["facts"]["rows"]["shop.customer"][0]["values"]["name"] == "(erased)"
            assert one.body["facts"]["rows"]["shop.customer"][0]["values"]["vip"] is True
            with pytest.raises(NotReplayableError, match="erased"):
                archive.case(last)
            assert [r.verdict for r in replay([one, other], AsRecorded(archive))] == [
                Verdict.NOT_REPLAYABLE, Verdict.SAME,
            ]  # fmt: skip
            assert verify(view).holds
            archive.close()
        with TraceView(path, segments_of(path), personal=True) as view:
            names = {name for (name,) in view.query("SELECT name FROM facts.customer")[1]}
        assert names == {"(erased)", NAME}
        with pytest.raises(NothingToEraseError, match="nothing is sealed"):
            store.erase("customer=c-17")


@pytest.mark.parametrize(
    "subject", ["customer=c-17", "shop.customer=c-17", "eu.shop.customer=c-17"]
)
def test_a_subject_is_named_with_as_much_of_its_module_as_one_likes(
    tmp_path: Path, subject: str
) -> None:
    """A module of several names is no obstacle, and a key that reads like another subject is not taken for it."""
    keys = KeyFile(tmp_path / "keys")
    names = ("eu.shop.customer=c-17", "eu.shop.note=a.customer=c-17", "eu.shop.other_customer=c-17")
    keys.of([Subject(name) for name in names])
    assert [gone.subject for gone in keys.destroy(subject)] == [names[0]]
    assert keys.destroy("c-17") == keys.destroy("tomer=c-17") == ()


def test_more_subjects_than_are_remembered_have_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a process has met many subjects, a request about an old and a new one gets the keys of both."""
    monkeypatch.setattr("policylang.trace.keys._MOST_REMEMBERED", 2)
    keys = KeyFile(tmp_path / "keys")
    old = {subject: keys.of([subject]) for subject in map(Subject, ("a=1", "a=2", "a=3"))}
    found = keys.of([*old, Subject("a=4")])
    assert len({key.handle for key in found}) == 4
    assert {key for (key,) in old.values()} < set(found)


def test_what_is_recorded_after_an_erasure_has_new_keys(path: Path) -> None:
    """A process that remembers a key seals nothing with it once another has destroyed it."""
    with policy() as made, TraceStore.open(path) as store:
        store.record(made.case(asked()))
        with TraceStore.open(path) as other:
            other.erase("shop.customer=c-17")
        id_ = store.record(made.case(asked()))
        again = store.why(id_)
        assert again is not None
        assert again.decision.reasons[0].message == f"12.50 for {NAME}"


def test_a_refused_request_is_erased_with_its_subject_or_by_itself(path: Path) -> None:
    """What was received of a refused request goes with the customer that it names; without one, by its own record."""
    with policy() as made, TraceStore.open(path) as store:
        nobody = store.record(made.case(f'{{"action": "refund", "args": {{"iban": "{IBAN}"}}}}'))
        named = store.record(made.case(asked("c-19", amount="x")))
        for id_ in (nobody, named):
            record = store.get(id_)
            assert record is not None
            assert IBAN in record.body["received"]["text"]
        with pytest.raises(NothingToEraseError, match="alone"):
            store.erase(record=named)
        store.erase("customer=c-19")
        store.erase(record=nobody)
        for id_ in (nobody, named):
            record = store.get(id_)
            assert record is not None
            assert record.body["received"]["text"] == "(erased)"
    assert IBAN not in found(path)


def test_an_erased_row_of_reference_data_is_told(path: Path) -> None:
    """Reference data are sealed row by row; a decision over rows of which one was erased is not decided again."""
    with TraceStore.open(path) as store:
        (reference,) = store.records(Filter(kind="reference", limit=1))
        assert reference.body["rows"] == [{"values": {"name": BANNED}}]
        erased = store.get(store.erase(f"banned={BANNED}").record)
        assert erased is not None
        # The key of a banned name is the name: no record may tell it.
        assert "subjects" not in erased.body
        with store.view() as view:
            (one, *_) = decisions(view)
            (replayed,) = replay([one], AsRecorded(Archive(view)))
    assert replayed.verdict is Verdict.NOT_REPLAYABLE
    assert "banned" in replayed.problem
    assert found(path) == []


def test_without_its_keys_a_store_is_read_sealed(path: Path) -> None:
    """Who gets a store without its keys can verify it, reads what is not personal, and nothing else."""
    path.with_name(path.name + KEYS).unlink()
    with TraceView(path, segments_of(path), personal=True) as view:
        one, *_ = decisions(view)
        assert str(one.body["facts"]["rows"]["shop.customer"][0]["values"]["name"])[:7] == "(sealed"
        with pytest.raises(NotReplayableError, match="keys are not here"):
            Archive(view).case(one)
        assert verify(view).holds


def test_where_keys_cannot_be_kept_nothing_is_recorded(path: Path) -> None:
    """A key file that is no key file refuses decisions with personal values, and no other."""
    path.with_name(path.name + KEYS).write_bytes(
        b"no key file at all, and long enough to be read" * 9
    )
    with TraceStore.open(path.with_name("other.duckdb")) as store:
        path.with_name("other.duckdb" + KEYS).write_bytes(b"nonsense" * 99)
        with policy() as made, pytest.raises(TraceUnavailableError, match="keys"):
            store.record(made.case(asked()))
        with bundle("module shop action ship rule all: allow ship", reference={}) as plain:
            store.record(plain.case({"action": "ship"}))


def test_an_erasure_that_could_not_be_recorded_is_recorded_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys go first; where the record fails, the next opening writes it."""

    def fails(number: int) -> None:
        raise OSError("no space")

    with TraceStore.open(path) as store, monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        with pytest.raises(TraceUnavailableError):
            store.erase("customer=c-17")
    with TraceStore.open(path) as store:
        (record,) = store.records(Filter(kind="erasure"))
        assert len(record.body["handles"]) == 1


MAKING = """
import sys
from pathlib import Path
from policylang.trace.keys import KeyFile, Subject
keys = KeyFile(Path(sys.argv[1]))
for number in range(40):
    print(*(key.handle for key in keys.of([Subject(f"a={number}"), Subject("b=1")])), keys.loose().handle)
"""


def test_processes_agree_on_the_key_of_a_subject(tmp_path: Path) -> None:
    """Processes that make keys at once get the same ones for a subject, and none twice for what has none."""
    run = [sys.executable, "-c", MAKING, str(tmp_path / "keys")]
    running = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate()[0].split() for process in running]
    named = [[handle for i, handle in enumerate(words) if i % 3 < 2] for words in told]
    loose = [handle for words in told for i, handle in enumerate(words) if i % 3 == 2]
    assert named[0] == named[1] == named[2]
    assert len(named[0]) == 80
    assert len(set(loose)) == len(loose) == 120


def test_threads_use_the_keys_in_turn(tmp_path: Path) -> None:
    """While one thread changes the keys, no other opens their file: closing it would lift the lock of the first."""
    path = tmp_path / "keys"
    one, other = KeyFile(path), KeyFile(path)
    (key,) = one.of([Subject("a=1")])
    found: list[object] = []
    reading = threading.Thread(target=lambda: found.append(other.known([key.handle])))
    with one._changing() as connection:
        connection.execute("UPDATE keys SET named = 1")
        reading.start()
        reading.join(0.3)
        assert found == []
    reading.join()
    assert found == [{key.handle: key.secret}]
