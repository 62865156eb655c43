"""The examples are whole projects: without problems, in the one style, and together they use all of the standard library."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.bundle.loading import check_bundle
from policylang.bundle.stdlib import standard_modules
from policylang.diagnostics import Source
from policylang.syntax import format_source, parse, tree

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = sorted(folder for folder in EXAMPLES.iterdir() if (folder / "README.md").exists())
POLICIES = sorted(EXAMPLES.rglob("*.policy"))


def _statements(policy: Path) -> tuple[object, ...]:
    module = parse(Source(policy.name, policy.read_text(encoding="utf-8"))).module
    assert module is not None
    return module.statements


def _uses(policy: Path) -> set[str]:
    """The modules that the rules of a policy use, and that its tests alone do not count for."""
    statements = _statements(policy)
    if not any(isinstance(each, tree.RuleStatement) for each in statements):
        return set()
    return {each.module.text for each in statements if isinstance(each, tree.UseStatement)}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_has_no_problems(project: Path) -> None:
    """The policies of an example give neither errors nor warnings."""
    assert check_bundle(project).diagnostics == ()


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_has_tests_in_the_language(project: Path) -> None:
    """Some policy of an example has tests."""
    statements = [each for policy in project.rglob("*.policy") for each in _statements(policy)]
    assert any(isinstance(each, tree.TestStatement) for each in statements)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.stem)
def test_a_policy_is_written_in_the_one_style(policy: Path) -> None:
    """`policylang fmt` has nothing to change in the examples."""
    text = policy.read_text(encoding="utf-8")
    assert format_source(Source(policy.name, text)) == text


def test_every_standard_module_is_used_by_the_rules_of_an_example() -> None:
    """There is an example to look at for each module of the standard library."""
    used = set().union(*map(_uses, POLICIES))
    assert {module.name for module in standard_modules()} - used == set()


def test_the_readme_leads_to_every_example() -> None:
    """Each example is linked from the README of the project."""
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    missing = [p.name for p in PROJECTS if f"(examples/{p.name}/README.md)" not in text]
    assert missing == []
