"""`policylang trace erase`: make what is personal of a subject unreadable, wherever it is stored."""

from __future__ import annotations

import click

from policylang.cli.output import counted, json_option, write_json
from policylang.cli.traces import existing, said, store_option


@click.command("erase")
@store_option
@click.option(
    "--subject", "subjects", multiple=True, metavar="FACT=KEY", help="Whom to erase: customer=c-17."
)
@click.option(
    "--record", "records", multiple=True, metavar="ID", help="A record that belongs to no subject."
)
@click.option("--reason", default="", help="Why, for the record of the erasure.")
@json_option
def command(
    store_path: str,
    subjects: tuple[str, ...],
    records: tuple[str, ...],
    reason: str,
    as_json: bool,
) -> None:
    """Destroy the keys that personal and secret values of a subject are sealed with, and record that.

    Nobody can read these values from then on, in whatever copy of the traces. Decisions about the subject stay, and
    are not decided again. Backups of the key file have to expire by themselves.

    \b
    policylang trace erase --store traces.duckdb --subject customer=c-17 --reason "request 4711"
    """
    from policylang.trace.erasing import NothingToEraseError
    from policylang.trace.store import TraceStore

    if not subjects and not records:
        raise click.UsageError("name whom to erase: --subject FACT=KEY, or --record ID")
    if wrong := [subject for subject in subjects if "=" not in subject]:
        raise click.UsageError(f"`{wrong[0]}` is not FACT=KEY")
    asked = [(subject, "") for subject in subjects] + [("", record) for record in records]
    with said(), TraceStore.open(existing(store_path)) as store:
        for subject, record in asked:
            try:
                erased = store.erase(subject, record=record, reason=reason)
            except NothingToEraseError as error:
                raise click.ClickException(str(error)) from error
            if as_json:
                name = {"subject": subject} if subject else {"erased": record}
                write_json({**name, "keys": erased.keys, "record": erased.record})
            else:
                click.echo(f"{subject or record}: {counted(erased.keys, 'key')} destroyed")
