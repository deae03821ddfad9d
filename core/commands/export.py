"""The command that exports the model of a run."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.group import as_json, cli, print_json
from core.exporting.formats import FORMATS
from core.system.settings import get_settings


@cli.command()
@click.argument("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "name", type=click.Choice(list(FORMATS)), required=True, help="See docs/models.md.")
@as_json
def export(run: str, folder: Path, name: str, as_json: bool) -> None:
    """Write the model of a finished run, or a registered one, into a folder.

    It is compared with the original on test images before, and refused where it answers otherwise.
    """
    from core.exporting.client import export as write
    from core.tracking.registry import run_of
    from core.tracking.store import get_store

    run_id = run_of(get_store(), run)
    made = write(get_settings(), run_id, name, folder)
    if as_json:
        print_json({"run_id": run_id, "format": name, "path": str(made.path), **vars(made.report)})
        return
    click.echo(made.path)
    for sentence in made.report.sentences:
        click.echo(sentence, err=True)
