"""`policylang explain`: the page of a diagnostic."""

from __future__ import annotations

import sys
from difflib import get_close_matches

import click

from policylang.cli.output import colour, json_option, write_json
from policylang.packaged import diagnostic_codes, diagnostic_page


def _codes(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [code for code in diagnostic_codes() if code.startswith(begun.upper())]


@click.command("explain")
@click.argument("code", required=False, shell_complete=_codes)
@json_option
def command(code: str | None, as_json: bool) -> None:
    """Show the page of the diagnostic CODE; without one, list all that have a page.

    \b
    policylang explain PL0101
    policylang explain 101
    """
    if code is None:
        _list(as_json)
        return
    code = f"PL{code:0>4}" if code.isdecimal() else code.upper()
    page = diagnostic_page(code)
    if page is None:
        raise click.UsageError(_unknown(code))
    if as_json:
        write_json({"code": code, "title": _title(page), "page": page})
    else:
        _show(page)


def _list(as_json: bool) -> None:
    titles = {code: _title(diagnostic_page(code) or "") for code in diagnostic_codes()}
    if as_json:
        write_json([{"code": code, "title": title} for code, title in titles.items()])
        return
    for code, title in titles.items():
        click.echo(f"{code}  {title}")


def _title(page: str) -> str:
    first = page.partition("\n")[0].removeprefix("# ")
    return first.partition(": ")[2] or first


def _unknown(code: str) -> str:
    close = get_close_matches(code, diagnostic_codes(), n=1, cutoff=0.8)
    hint = f"; did you mean `{close[0]}`?" if close else "; `policylang explain` lists all"
    return f"no diagnostic has the code `{code}`{hint}"


def _show(page: str) -> None:
    if not colour(sys.stdout):
        click.echo(page, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    # A link to another page leads nowhere in a terminal: what it names is shown.
    Console().print(Markdown(page, hyperlinks=False))
