"""The runner of the documentation's examples finds what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.docs.blocks import blocks_in
from tests.docs.matching import difference
from tests.docs.pages import Page, problems_of
from tests.docs.update import updated


def problems(page: str, scratch: Path) -> list[str]:
    """Run a page that is given as text and return the texts of its problems."""
    return [problem.text for problem in problems_of(Page(blocks_in(dedent(page))), scratch)]


def test_output_that_is_shown_as_it_comes_is_fine(tmp_path: Path) -> None:
    """A shell block whose commands give what it shows has no problem, and its folder lasts."""
    page = """
        ```sh
        $ mkdir inner && cd inner
        $ echo one; echo two >&2
        one
        two
        ```

        ```sh
        $ basename "$PWD"
        inner
        $ false
        $ echo $?
        1
        ```
        """
    assert problems(page, tmp_path) == []


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("```sh\n$ echo one\ntwo\n```", "gave other output"),
        ("```sh\n$ echo one\n```", "gave other output"),
        ("```sh\n$ false\n```", "ended with status 1"),
        ("```python\n1 / 0\n```", "ZeroDivisionError"),
        ("```pycon\n>>> 1 + 1\n3\n```", "Expected:"),
        ("```python\nprint('x')\n```", "no `output` block shows"),
        ("```python\nprint('x')\n```\n\n```output\ny\n```", "the output is another"),
        ("```output\ny\n```", "right below"),
        ("```json\n{'a': 1}\n```", "malformed"),
        ("```jsonl\n{}\n{\n```", "malformed"),
        ("```toml\na = \n```", "malformed"),
        ("```csv\na,b\n```", "has to name its file"),
        ("```\nwhat\n```", "how to test the language ''"),
        ("```yaml\na: 1\n```", "how to test the language 'yaml'"),
    ],
)
def test_a_page_that_says_something_wrong_is_found(block: str, says: str, tmp_path: Path) -> None:
    """Each way in which a block can be wrong is a problem that says so."""
    (problem,) = problems(block, tmp_path)
    assert says in problem


@pytest.mark.parametrize(
    "block", ["```sh\necho not run\n```", "```sh\nabove\n$ echo one\none\n```"]
)
def test_a_shell_block_has_to_be_runnable(block: str, tmp_path: Path) -> None:
    """A shell block without a command, or with output above the first, is not passed over."""
    with pytest.raises(AssertionError):
        problems(block, tmp_path)


def test_python_blocks_share_their_names_and_the_folder(tmp_path: Path) -> None:
    """The Python blocks of a page see each other's names, and the files of the page."""
    page = """
        ```csv file=roles.csv
        user,role
        ```

        ```python
        from pathlib import Path
        text = Path("roles.csv").read_text()
        ```

        ```python
        print(text)
        ```

        ```output
        user,role
        ```
        """
    assert problems(page, tmp_path) == []


def test_illustrative_blocks_are_not_run(tmp_path: Path) -> None:
    """A block that its page calls illustrative is left alone."""
    assert problems("```sh illustrative\n$ exit 1\n```", tmp_path) == []


@pytest.mark.parametrize(
    ("shown", "came", "same"),
    [
        ("a\nb\n", "a  \nb\n\n", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("took ... seconds", "took 0.31 seconds", True),
        ("took ... seconds", "took 0.31\nseconds", False),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_dots_stand_for_what_changes(shown: str, came: str, same: bool) -> None:
    """`...` stands for lines or a part of a line, and everything else for itself."""
    assert (difference(shown, came) is None) is same


def test_updating_a_page_makes_what_it_shows_right(tmp_path: Path) -> None:
    """A page whose shown output is brought up to date has no problem, and keeps its dots."""
    page = "# T\n\n```sh\n$ echo a b\na ...\n$ echo c\nd\n```\n\n```python\nprint(1)\n```\n\n```output\n2\n```\n"
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    right = updated(page, problems_of(Page(blocks_in(page)), first))
    assert right == page.replace("\nd\n", "\nc\n").replace("\n2\n", "\n1\n")
    assert problems_of(Page(blocks_in(right)), second) == []
