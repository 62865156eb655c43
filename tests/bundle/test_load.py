"""Loading a bundle: where modules come from, and what stands in the way."""

from __future__ import annotations

import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from policylang import Bundle, Outcome, PolicyInvalid, load, loads
from policylang.bundle.sources import read_modules
from policylang.diagnostics import Diagnostic, Source

SHOP = """module shop version "1.0.0"
param most: Decimal(2) = 20.00
action refund { amount: Decimal(2) }
rule small: allow refund if refund.amount <= most
"""
OFFICE = """module office version "1.0.0"
use shop
rule closed: deny shop.refund if shop.refund.amount == 13.00
"""
SMALL = {"action": "refund", "args": {"amount": "12.50"}}


def write(folder: Path, **modules: str) -> Path:
    """Write modules into a folder, and give the folder."""
    for name, text in modules.items():
        (folder / f"{name}.policy").write_text(text, encoding="utf-8")
    return folder


def codes_of(refused: pytest.ExceptionInfo[PolicyInvalid]) -> list[str]:
    """The codes that a bundle was refused with."""
    return [diagnostic.code for diagnostic in refused.value.diagnostics]


def outcome(bundle: Bundle, amount: str) -> str:
    """The outcome of a refund."""
    return bundle.decide({"action": "refund", "args": {"amount": amount}}).outcome.value


def test_a_file_is_a_bundle(tmp_path: Path) -> None:
    """The path of one file loads the module in it."""
    bundle = load(write(tmp_path, shop=SHOP) / "shop.policy")
    assert bundle.decide(SMALL).outcome is Outcome.ALLOW


def test_a_folder_is_a_bundle_of_all_below_it(tmp_path: Path) -> None:
    """Every module in a folder and the folders below it belongs to the bundle."""
    below = tmp_path / "below"
    below.mkdir()
    write(tmp_path, shop=SHOP)
    write(below, office=OFFICE)
    bundle = load(tmp_path)
    assert {module.name for module in bundle.program.modules} == {"shop", "office"}
    assert outcome(bundle, "13.00") == "deny"


def test_several_places_make_one_bundle(tmp_path: Path) -> None:
    """Files and folders given together are one bundle; a file given twice is one module."""
    write(tmp_path, shop=SHOP, office=OFFICE)
    bundle = load(tmp_path / "shop.policy", tmp_path)
    assert len(bundle.program.modules) == 2


def test_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    """What lies in `.git` or `__pycache__` is no module of the bundle."""
    for name in (".git", "__pycache__"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, broken="nonsense")
    assert load(write(tmp_path, shop=SHOP)).program.modules[0].name == "shop"


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    """A link to a folder above is not followed."""
    write(tmp_path, shop=SHOP)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(load(tmp_path).program.modules) == 1


def test_a_resource_of_a_zipped_package_is_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that ships inside a package loads from a zip of it."""
    with zipfile.ZipFile(tmp_path / "shipped.zip", "w") as archive:
        archive.writestr("shipped_policies/__init__.py", "")
        archive.writestr("shipped_policies/rules/shop.policy", SHOP)
    monkeypatch.syspath_prepend(str(tmp_path / "shipped.zip"))
    try:
        bundle = load(files("shipped_policies").joinpath("rules"))
    finally:
        sys.modules.pop("shipped_policies", None)
    assert bundle.decide(SMALL).outcome is Outcome.ALLOW


def test_texts_are_a_bundle() -> None:
    """`loads` takes the texts of modules, which may use each other."""
    assert outcome(loads(SHOP, OFFICE), "13.00") == "deny"


def test_the_standard_library_is_found_by_name() -> None:
    """`use std.NAME` needs no path."""
    text = SHOP + 'use std.approvals\nrule more: allow refund if approvals.granted("boss")\n'
    bundle = loads(text)
    granted = {"by": "boss", "id": "a1", "time": "2026-01-01T00:00:00Z"}
    request = {"action": "refund", "args": {"amount": "99.00"}, "now": "2026-01-01T01:00:00Z"}
    assert bundle.decide(request).outcome is Outcome.DENY
    assert bundle.decide({**request, "approvals": [granted]}).outcome is Outcome.ALLOW


def test_an_override_of_a_param_is_part_of_the_program() -> None:
    """A param that a deployment overrides changes what is decided, and the digest of the program."""
    plain, strict = loads(SHOP), loads(SHOP, params={"most": "5.00"})
    assert outcome(plain, "12.50") == "allow"
    assert outcome(strict, "12.50") == "deny"
    assert plain.program.digest != strict.program.digest


@pytest.mark.parametrize("given", [{"most": "abc"}, {"most": True}, {"nobody": 1}])
def test_a_bad_override_is_refused(given: dict[str, object]) -> None:
    """A value that does not fit a param, or that is for no param, keeps the bundle from loading."""
    with pytest.raises(PolicyInvalid):
        loads(SHOP, params=given)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "PL0005"),
        (b"   \n# nothing\n", "PL0005"),
        (b"\xff\xfe", "PL0002"),
        (b'module a version "1"\n\0', "PL0004"),
        (b"x" * (101 << 20), "PL0003"),
        (b'module a version "1"\nuse a\n', None),
    ],
)
def test_files_that_are_no_modules_are_told(
    tmp_path: Path, content: bytes, code: str | None
) -> None:
    """An empty file, one that is not UTF-8, one of 100 MB: each is a diagnostic, never a traceback."""
    path = tmp_path / "a.policy"
    path.write_bytes(content)
    with pytest.raises(PolicyInvalid) as refused:
        load(path)
    assert codes_of(refused)
    assert code is None or code in codes_of(refused)


def test_a_path_that_does_not_exist_is_told(tmp_path: Path) -> None:
    """A missing file and a folder without modules are diagnostics with codes of their own."""
    with pytest.raises(PolicyInvalid) as refused:
        load(tmp_path / "nowhere.policy")
    assert "PL0001" in codes_of(refused)
    with pytest.raises(PolicyInvalid) as refused:
        load(tmp_path)
    assert "PL0020" in codes_of(refused)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    """A file as Windows editors write it loads."""
    (tmp_path / "shop.policy").write_bytes(b"\xef\xbb\xbf" + SHOP.replace("\n", "\r\n").encode())
    assert load(tmp_path).decide(SMALL).outcome is Outcome.ALLOW


def test_every_broken_file_is_reported_at_once(tmp_path: Path) -> None:
    """One run names the errors of all files, those of syntax and those of meaning."""
    write(tmp_path, a='module a version "1"\nrule x: allow\n', b='module b version "1"\nuse c\n')
    with pytest.raises(PolicyInvalid) as refused:
        load(tmp_path)
    names = {d.span.source.name for d in refused.value.diagnostics if d.span is not None}
    assert {Path(name).name for name in names} == {"a.policy", "b.policy"}


def test_sources_come_in_one_order(tmp_path: Path) -> None:
    """The order of modules does not depend on the order in which a file system lists them."""
    write(tmp_path, **{name: SHOP.replace("shop", name) for name in ("b", "a", "c")})
    found = [s.name for s in read_modules(tmp_path) if not isinstance(s, Diagnostic)]
    assert found == sorted(found)
    assert all(isinstance(s, Source) for s in read_modules(tmp_path))


@pytest.mark.parametrize(
    "file",
    [
        "../vips.csv",
        "data/../../vips.csv",
        "{outside}/vips.csv",
        "..\\\\vips.csv",
        "C:\\\\vips.csv",
        "C:vips.csv",
        "\\\\\\\\server\\\\vips.csv",
    ],
)
def test_a_policy_reads_no_file_outside_of_its_folder(tmp_path: Path, file: str) -> None:
    """A name that leads out of the folder is refused on every system; whoever deploys the policy may give that file."""
    (tmp_path / "vips.csv").write_text("customer\nc1\n")
    (tmp_path / "policies" / "data").mkdir(parents=True)
    policy = tmp_path / "policies" / "shop.policy"
    named = file.replace("{outside}", str(tmp_path))
    policy.write_text(
        f'module shop facts vip from "{named}" {{ customer: String }}'
        ' action ship rule all: allow ship if vip("c1")'
    )
    with pytest.raises(PolicyInvalid) as refused:
        load(policy)
    assert [diagnostic.code for diagnostic in refused.value.diagnostics] == ["PL0640"]
    assert "a policy names files in its own folder" in str(refused.value)
    with load(policy, reference={"vip": tmp_path / "vips.csv"}) as bundle:
        assert bundle.decide({"action": "ship"}).outcome is Outcome.ALLOW


def test_a_policy_reads_files_below_its_folder(tmp_path: Path) -> None:
    """What lies beside a policy, or below it, is its own; dots in a name lead nowhere."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vips..2026.csv").write_text("customer\nc1\n")
    policy = tmp_path / "shop.policy"
    policy.write_text(
        'module shop facts vip from "./data/vips..2026.csv" { customer: String }'
        ' action ship rule all: allow ship if vip("c1")'
    )
    with load(policy) as bundle:
        assert bundle.decide({"action": "ship"}).outcome is Outcome.ALLOW
