"""The command that classifies image files."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.group import as_json, cli, print_json
from core.system.settings import get_settings


@cli.command()
@click.argument("run")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=3, show_default=True, help="How many classes to name.")
@click.option("--invert", is_flag=True, help="Invert the images first.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a row an image into this file; an image that cannot be read is a row with the reason.",
)
@as_json
def predict(
    run: str, images: tuple[Path, ...], top: int, invert: bool, csv_file: Path | None, as_json: bool
) -> None:
    """Classify image files with the model of a finished run.

    RUN may also be a registered model: NAME, NAME@champion or NAME/2.
    """
    from core.inference.client import predict as ask
    from core.inference.messages import Changes
    from core.tracking.registry import run_of
    from core.tracking.store import get_store

    if csv_file is not None:
        if as_json:
            raise click.UsageError("Choose one of --csv and --json.")
        from core.commands.predictions_file import write_predictions

        wrong = write_predictions(
            get_settings(), run_of(get_store(), run), images, csv_file, max(1, top), invert
        )
        click.echo(csv_file)
        if wrong:
            click.echo(
                f"{wrong} of {len(images)} images could not be read: see the column 'error'.", err=True
            )
        return
    blobs = []
    for path in images:
        try:
            blobs.append(path.read_bytes())
        except OSError as error:
            raise ValueError(f"The image {path} cannot be read: {error.strerror}.") from error
    answers = ask(get_settings(), run_of(get_store(), run), blobs, top_k=top, changes=Changes(invert=invert))
    pairs = [list(zip(one.classes, one.probabilities, strict=True)) for one in answers]
    if as_json:
        rows = [
            {
                "image": str(path),
                "predictions": [{"class": c, "probability": p} for c, p in pair],
                "notes": [
                    note
                    for note in (
                        *answer.notes,
                        answer.inversion,
                        answer.views,
                        answer.preprocessing,
                        answer.engine,
                    )
                    if note
                ],
            }
            for path, pair, answer in zip(images, pairs, answers, strict=True)
        ]
        print_json(rows)
        return
    for caption in filter(None, (answers[0].views, answers[0].preprocessing, answers[0].engine)):
        click.echo(caption, err=True)
    for path, pair, answer in zip(images, pairs, answers, strict=True):
        advice = f"{answer.inversion} Try {'without ' if invert else ''}--invert." if answer.inversion else ""
        for note in filter(None, (*answer.notes, advice)):
            click.echo(f"{path}: {note}", err=True)
        likely = ", ".join(f"{name} (probability {probability:.3f})" for name, probability in pair)
        click.echo(f"{path}: class {likely}")
