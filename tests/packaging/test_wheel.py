"""What a wheel holds, and that it is found there, in a zip, and in a checkout alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from policylang import packaged

ROOT = Path(__file__).parents[2]

REPORT = """
import json, policylang
from policylang import packaged
print(json.dumps({
    "from": policylang.__file__,
    "stdlib": {name: packaged.stdlib_source(name).decode() for name in packaged.stdlib_names()},
    "pages": {code: packaged.diagnostic_page(code) for code in packaged.diagnostic_codes()},
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def shipped_from(where: Path, cwd: Path) -> dict[str, object]:
    """What the policylang that is imported from `where` finds of the files that ship."""
    finished = subprocess.run(
        [sys.executable, "-c", REPORT],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(where)},
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(finished.stdout)
    assert Path(found.pop("from")).is_relative_to(where)
    return found


@pytest.mark.slow
def test_a_wheel_a_zip_and_a_checkout_ship_the_same_files(wheel: Path, tmp_path: Path) -> None:
    """The standard library and the pages of diagnostics are the same wherever they are found."""
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    checkout = shipped_from(ROOT, tmp_path)
    assert checkout["pages"]
    assert shipped_from(unpacked, tmp_path) == checkout
    assert shipped_from(wheel, tmp_path) == checkout


@pytest.mark.slow
def test_a_wheel_is_typed_licensed_and_has_its_command(wheel: Path) -> None:
    """The wheel says that it is typed, under which licence, and installs `policylang`."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith("entry_points.txt"))
        assert b"policylang = policylang.cli:main" in archive.read(info)
    assert "policylang/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


@pytest.mark.parametrize("name", ["../pyproject", "no_such_module", "", "README.md", "/etc/passwd"])
def test_no_name_reaches_a_file_outside_the_library(name: str) -> None:
    """Only the names that are listed have a source: a name is never made a path."""
    assert packaged.stdlib_source(name) is None


def test_every_listed_module_has_a_source() -> None:
    """What is listed can be read."""
    for name in packaged.stdlib_names():
        assert packaged.stdlib_source(name)


@pytest.mark.slow
def test_a_source_distribution_is_a_checkout(tmp_path: Path) -> None:
    """Every file that is kept in the repository is in it, so that its tests, its site and its checks can run."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    kept = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if kept.returncode:
        pytest.skip("this is no checkout of a repository")
    there = {name for name in kept.stdout.splitlines() if (ROOT / name).exists()}
    assert there - held == set()
