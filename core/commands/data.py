"""Commands that import and delete datasets."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.group import cli

if TYPE_CHECKING:
    from core.datasets.records import Problem


@cli.command("import")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--size", type=int, help="Height and width in pixels; default: the images' own, or 96.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Grey or colour; default: as the images are.")
@click.option("--test-fraction", type=float, help="Held out for testing where no test/ is given. [0.15]")
@click.option("--policy", type=click.Choice(["stretch", "pad", "crop"]), default="stretch")
@click.option("--mirror", nargs=2, metavar="ONE OTHER", help="Flip class ONE and count it as class OTHER.")
@click.option(
    "--value-range",
    nargs=2,
    type=float,
    metavar="BLACK WHITE",
    help="Values of images deeper than 8 bits that become black and white; default: found over all images.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    help="A table's column: image, label, part or group is called NAME.",
)
@click.option("--encoding", help="Of a table, and of names in a zip, that are not UTF-8; as cp932.")
@click.option(
    "--links-to",
    "links",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A further folder that symbolic links in PATH may lead into; those inside PATH are followed anyway.",
)
@click.option(
    "--keep-together",
    type=click.Choice(["identical", "near"]),
    default="identical",
    show_default=True,
    help="Copies that the test set and later splits never share with training.",
)
@click.option("--replace", is_flag=True, help="Replace a dataset of the same name.")
@click.option(
    "--dry-run", is_flag=True, help="Only show the classes that would be imported, and what would not."
)
def import_(
    name: str,
    path: Path,
    size: int | None,
    channels: str | None,
    test_fraction: float | None,
    policy: str,
    mirror: tuple[str, str] | None,
    value_range: tuple[float, float] | None,
    columns: tuple[str, ...],
    encoding: str | None,
    links: tuple[Path, ...],
    keep_together: str,
    replace: bool,
    dry_run: bool,
) -> None:
    """Import a folder, zip or table of images: a folder per class, or a table of files and labels."""
    from core.importing.importer import check_name_free, import_images
    from core.importing.preview import preview_import
    from core.importing.request import check_classes, parse_columns

    if dry_run:
        check_name_free(name, replace)
        preview = preview_import(path, columns=parse_columns(columns), encoding=encoding, links=links)
        check_classes(preview.classes, path.name, preview.problems)
        click.echo(f"{name}: {len(preview.classes)} classes, {preview.size:,} images; nothing was imported")
        for i, label in enumerate(preview.classes):
            counts = ", ".join(
                f"{count[i]:,} {subset}" for subset, count in preview.counts.items() if count[i]
            )
            click.echo(f"{label}: {counts}")
        _tell(preview.notes, preview.problems)
        return
    if zipfile.is_zipfile(path) and encoding is None:
        guess = preview_import(path, columns=parse_columns(columns)).guess
        if guess is not None:  # before decoding, which may take minutes
            click.echo(f"{guess.sentence} To read them otherwise: --encoding NAME.", err=True)
    shows = sys.stderr.isatty()

    def progress(done: int, total: int, remaining_s: float) -> None:
        if shows:
            click.echo(f"\r{done:,} of {total:,} images · {remaining_s:.0f} s left ", nl=False, err=True)

    info = import_images(
        name,
        path,
        size=size,
        channels=int(channels) if channels else None,
        test_fraction=test_fraction,
        policy=policy,
        mirror=mirror or None,
        value_range=value_range or None,
        columns=parse_columns(columns),
        encoding=encoding,
        links=links,
        keep_together=keep_together,
        replace=replace,
        progress=progress,
    )
    if shows:
        click.echo(err=True)
    height, width, depth = info.shape
    sizes = ", ".join(f"{sum(counts):,} {subset}" for subset, counts in info.counts.items() if sum(counts))
    click.echo(f"{name}: {info.num_classes} classes, {height}×{width}×{depth}, {sizes}")
    _tell(info.notes, info.problems)


def _tell(notes: Sequence[str], problems: Sequence[Problem]) -> None:
    for note in notes:
        click.echo(note)
    for problem in problems:
        click.echo(f"not imported: {problem.name} {problem.reason}", err=True)


@cli.command("delete-dataset")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_dataset(name: str, yes: bool) -> None:
    """Delete an imported dataset from disk, never the files that it was made of."""
    from core.jobs import deletion
    from core.tracking.store import get_store

    store = get_store()
    if not yes:
        count = len(deletion.users_of(store, name))
        used = f" {count} {'run' if count == 1 else 'runs'} used it." if count else ""
        click.confirm(f"Delete the dataset '{name}'?{used}", abort=True)
    users = deletion.delete_dataset(store, name)
    click.echo(f"The dataset '{name}' was deleted.")
    for run in users.itertuples():
        click.echo(f"trained on it: {run.run_id} {run.name}")
