"""Checked programs on disk: the same as checking again, and used only where they are what was written."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from policylang import Bundle, load
from policylang.bundle import cache, loading

POLICY = """
module shop version "1.0.0"
use std.money
enum Tier { free, pro }
param most: Decimal(2) = 20.00
fact customer { id: String, tier: Tier }
table cap (tier: Tier, most: Decimal(2)) { | free | 5.00 | | pro | 50.00 | }
action refund { amount: Decimal(2) in 0.00 .. }
rule small: allow refund if refund.amount <= most and cap(tier: customer.tier, most: M) and refund.amount <= M
  because "{refund.amount} is small"
rule never_fires: deny refund if refund.amount < 0.00
test "a small one" { given { customer { id: "c", tier: pro } } when refund { amount: 4.00 } expect allow }
"""
REQUEST = {
    "action": "refund",
    "args": {"amount": "12.50"},
    "facts": {"customer": {"id": "c", "tier": "pro"}},
}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A file with a module, beside the folder of a cache."""
    path = tmp_path / "shop.policy"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sources each checking had."""
    counted: list[int] = []
    check = loading.check

    def counting(modules: list[object], **others: object) -> object:
        counted.append(len(modules))
        return check(modules, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "check", counting)
    return counted


def loaded(module: Path, **others: object) -> Bundle:
    """The bundle of a module, with the cache beside it."""
    return load(module, cache=module.parent / "kept", **others)  # type: ignore[arg-type]


def the_file(module: Path) -> Path:
    """The only program that is kept."""
    (found,) = (module.parent / "kept").glob("*.program")
    return found


def test_what_is_kept_is_what_checking_gives(module: Path, checks: list[int]) -> None:
    """A bundle from the cache has the program, warnings and tests of one that was checked, and answers alike."""
    fresh, kept = loaded(module), loaded(module)
    assert checks == [1]
    assert kept.program == fresh.program
    assert kept.warnings == fresh.warnings
    assert [str(w) for w in kept.warnings]
    assert kept.scenarios == fresh.scenarios
    assert kept.decide(REQUEST).determining == fresh.decide(REQUEST).determining == ("shop.small",)
    assert [m.source for m in kept.program.modules] == [m.source for m in fresh.program.modules]


def _text(module: Path) -> dict[str, object]:
    module.write_text(POLICY.replace("20.00", "21.00"), encoding="utf-8")
    return {}


def _param(_: Path) -> dict[str, object]:
    return {"params": {"most": Decimal("30.00")}}


def _name(module: Path) -> dict[str, object]:
    module.rename(module.with_name("store.policy"))
    return {}


@pytest.mark.parametrize("change", [_text, _param, _name])
def test_what_checking_depends_on_is_part_of_the_digest(
    module: Path, checks: list[int], change: Callable[[Path], dict[str, object]]
) -> None:
    """Another text, another param or another file name is checked anew."""
    loaded(module)
    others = change(module)
    (found,) = module.parent.glob("*.policy")
    loaded(found, **others)
    assert checks == [1, 1]


def test_another_version_of_the_code_checks_anew(
    module: Path, checks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept by other code of policylang is not used."""
    loaded(module)
    monkeypatch.setattr(cache, "fingerprint", lambda: "another")
    loaded(module)
    assert checks == [1, 1]


@pytest.mark.parametrize("place", [0, 25, 60, -1])
def test_a_changed_file_is_not_used(module: Path, checks: list[int], place: int) -> None:
    """One changed byte anywhere, and the program is checked anew and written again."""
    loaded(module)
    path = the_file(module)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    loaded(module)
    loaded(module)
    assert checks == [1, 1]


def test_a_file_under_another_digest_is_not_used(module: Path, checks: list[int]) -> None:
    """A program that was kept for one text does not stand for another, whatever its file is called."""
    loaded(module)
    kept = the_file(module)
    content = kept.read_bytes()
    kept.unlink()
    _text(module)
    loaded(module)
    the_file(module).write_bytes(content)
    assert loaded(module).decide(REQUEST).outcome.value == "allow"
    assert checks == [1, 1, 1]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of files are those of POSIX")
@pytest.mark.parametrize(("name", "mode"), [("", 0o777), ("key", 0o644), ("*.program", 0o640)])
def test_what_others_may_reach_is_not_used(
    module: Path, checks: list[int], name: str, mode: int
) -> None:
    """A folder that others may write to, or a file that others may read, is passed over."""
    loaded(module)
    folder = module.parent / "kept"
    (path,) = folder.glob(name) if name else (folder,)
    path.chmod(mode)
    assert loaded(module).decide(REQUEST).outcome.value == "allow"
    assert checks == [1, 1]


def test_the_folder_and_its_files_belong_to_the_user_alone(module: Path) -> None:
    """What the cache makes can be read and written by this user only."""
    loaded(module)
    folder = module.parent / "kept"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


class _Command:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 7",)


def test_nothing_but_values_of_programs_is_read(module: Path, checks: list[int]) -> None:
    """Even a file with a right code calls nothing that is no type of policylang's own."""
    loaded(module)
    path = the_file(module)
    key = (module.parent / "kept" / "key").read_bytes()
    body = pickle.dumps(_Command())
    path.write_bytes(cache._FORM + cache._mac(key, path.stem, body) + body)
    loaded(module)
    assert checks == [1, 1]


def test_a_bundle_with_errors_is_not_kept(module: Path) -> None:
    """Only what was checked without errors is written."""
    module.write_text("module shop rule r: allow nothing", encoding="utf-8")
    with pytest.raises(loading.PolicyInvalid):
        loaded(module)
    assert not list((module.parent / "kept").glob("*.program"))


def test_the_oldest_are_removed(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder holds so many programs and no more."""
    monkeypatch.setattr(cache, "MOST_KEPT", 2)
    for amount in ("21.00", "22.00", "23.00"):
        module.write_text(POLICY.replace("20.00", amount), encoding="utf-8")
        loaded(module)
    assert len(list((module.parent / "kept").glob("*.program"))) == 2
