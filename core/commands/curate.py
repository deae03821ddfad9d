"""Commands that check a dataset's images, edit the dataset, and undo single edits."""

from __future__ import annotations

from collections.abc import Sequence

import click

from core.commands.group import as_json, cli, print_json, print_rows

NAMED = 3  # images of a finding that are named


@cli.command()
@click.argument("dataset")
@click.option("--near", is_flag=True, help="Also look for near duplicates, a millisecond an image.")
@as_json
def findings(dataset: str, near: bool, as_json: bool) -> None:
    """List problems of a dataset that matter for training, the serious ones first."""
    from core.datasets import duplicates, load
    from core.datasets import findings as checks

    loaded = load(dataset)
    found = checks.find_all(loaded)
    if near:
        alike = checks.duplicate_findings(loaded, duplicates.near_duplicates(dataset))
        found = sorted([*found, *alike], key=lambda one: not one.serious)
    if as_json:
        rows = [
            {
                "kind": one.kind,
                "serious": one.serious,
                "sentence": one.sentence,
                "images": [str(loaded.source_names[row]) for row in one.rows],
            }
            for one in found
        ]
        print_json(rows)
        return
    for one in found:
        click.echo(f"{'serious: ' if one.serious else ''}{one.sentence}")
        if one.rows:
            click.echo(f"  {_first(loaded.source_names[list(one.rows)].tolist())}")


def _first(images: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(images) - NAMED
    rest = f" and {more:,} more, which --json lists" if more > 0 else ""
    return ", ".join(images[:NAMED]) + rest


@cli.command()
@click.argument("dataset")
@as_json
def changes(dataset: str, as_json: bool) -> None:
    """List the images that were left out of a dataset, relabelled or moved since its import."""
    from core.datasets import SUBSETS, check_known, edits, load, store

    check_known(dataset)
    made = edits.read(store.folder_of(dataset)) if store.exists(dataset) else edits.Edits()
    names = load(dataset).source_names
    rows = [{"image": str(names[row]), "change": "left out"} for row in sorted(made.left_out)]
    rows += [
        {"image": str(names[row]), "change": f"put in {subset}"}
        for row, subset in sorted(made.moved.items())
        if subset in SUBSETS
    ]
    rows += [
        {"image": str(names[row]), "change": f"relabelled {label}"}
        for row, label in sorted(made.relabelled.items())
    ]
    rows += [{"image": str(names[row]), "change": "doubted and kept"} for row in sorted(made.confirmed)]
    rows += [
        {"image": one, "change": f"class counted as {other}"} for one, other in made.counted_as().items()
    ]
    print_rows(rows, as_json)


@cli.command("leave-out")
@click.argument("dataset")
@click.argument("images", nargs=-1, required=True)
def leave_out(dataset: str, images: tuple[str, ...]) -> None:
    """Leave images out of a dataset, by the names that `findings --json` shows. No file is touched."""
    from core.datasets import curate

    rows = _rows(dataset, images)
    info = curate.leave_out(dataset, rows)
    click.echo(f"{len(rows)} left out; {dataset} has {info.size:,} images.")


@cli.command("take-back")
@click.argument("dataset")
@click.argument("images", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Undo every change, of classes too.")
def take_back(dataset: str, images: tuple[str, ...], everything: bool) -> None:
    """Undo edits of images: they have the set and the label of the import again."""
    from core.datasets import check_known, curate, edits, store
    from core.datasets.records import DatasetError

    check_known(dataset)
    if everything == bool(images):
        raise ValueError("Give either images or --all.")
    if everything:
        info = curate.undo_all(dataset)
        click.echo(f"All changes were undone; {dataset} has {info.size:,} images.")
        return
    rows = _rows(dataset, images)
    made = edits.read(store.folder_of(dataset)) if store.exists(dataset) else edits.Edits()
    untouched = [image for image, row in zip(images, rows, strict=True) if not made.touches(row)]
    if untouched:
        raise DatasetError(f"'{untouched[0]}' of '{dataset}' has no changes.")
    info = curate.restore(dataset, rows)
    click.echo(f"{len(rows)} taken back; {dataset} has {info.size:,} images.")


def _rows(dataset: str, images: Sequence[str]) -> list[int]:
    """Return the rows of images by their names.

    Raises DatasetError for a name that no image has, or several.
    """
    from core.datasets import load
    from core.datasets.records import DatasetError

    named: dict[str, list[int]] = {image: [] for image in images}
    for row, name in enumerate(load(dataset).source_names.tolist()):
        if name in named:
            named[name].append(row)
    for image, found in named.items():
        if len(found) != 1:
            count = f"{len(found)} images" if found else "no image"
            raise DatasetError(f"'{dataset}' has {count} with the name '{image}'.")
    return [named[image][0] for image in images]
