"""The command line: the same functions that the pages call.

Exit 0: done. 1: a run failed. 2: the request was wrong; one line on stderr says why.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.settings import NotAllowed, SettingsError, get_settings

if TYPE_CHECKING:
    import pandas as pd

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Train, compare and demonstrate convolutional architectures."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # that it makes tables is no news


@cli.command("list")
@click.argument("what", type=click.Choice(["architectures", "datasets", "recipes", "runs"]))
@as_json
def list_(what: str, as_json: bool) -> None:
    """List what exists."""
    rows = {
        "architectures": _architectures,
        "datasets": _datasets,
        "recipes": _recipes,
        "runs": lambda: [_summary(run) for run in _runs()],
    }[what]()
    _print(rows, as_json)


def _architectures() -> list[dict[str, Any]]:
    from core.architectures import architectures

    for file, reason in architectures.problems().items():
        click.echo(f"{file}: {reason}", err=True)
    return [
        {
            "name": entry.name,
            "family": entry.family,
            "year": entry.card.year,
            "input_shape": entry.input_shape,
            "min_size": entry.min_size,
        }
        for entry in architectures
    ]


def _datasets() -> list[dict[str, Any]]:
    from core import datasets

    rows = []
    for name in datasets.names():
        info = datasets.info(name)
        parts = {part: sum(counts) for part, counts in info.counts.items()}
        rows.append({"name": name, "shape": info.shape, "classes": info.num_classes, **parts})
    return rows


def _recipes() -> list[dict[str, Any]]:
    from core import recipes

    return [
        {"name": name, "runs": len(recipes.get(name).configs), "title": recipes.get(name).title}
        for name in recipes.names()
    ]


@cli.command()
@click.argument("architecture")
@click.option("--input", "input_", metavar="HxWxC", help="Input shape; default: the net's own.")
@click.option("--classes", type=int, help="Number of classes; default: the net's own.")
@click.option(
    "--batch",
    default=32,
    type=click.IntRange(min=1),
    show_default=True,
    help="Batch size of the memory estimate.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the net, or a setting as model.freeze=all.",
)
@as_json
def describe(
    architecture: str,
    input_: str | None,
    classes: int | None,
    batch: int,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Layers, parameters and multiply-accumulates of a net."""
    from core.config import ExperimentConfig, parse_assignments
    from core.inference import client

    shape = _shape(input_) if input_ else None
    options = parse_assignments(assignments)
    transfer = {key: options.pop(key) for key in list(options) if key.startswith("model.")}
    if transfer:
        named = {"model.name": architecture} | {f"model.options.{key}": options[key] for key in options}
        model = ExperimentConfig().with_values(named | transfer).model
        facts = client.describe_transfer(get_settings(), model, shape, classes, batch)
    else:
        facts = client.describe(get_settings(), architecture, shape, classes, options, batch)
    if as_json:
        click.echo(json.dumps(facts))
        return
    columns = ("name", "type", "output_shape", "parameters", "trainable_parameters", "macs")
    _print([{key: layer[key] for key in columns} for layer in facts["layers"]], False)
    for key in ("total_parameters", "trainable_parameters", "macs", "depth"):
        click.echo(f"{key.replace('_', ' ')}: {facts[key]:,}")
    click.echo(f"memory of a training with batches of {batch}: {facts['memory']['total'] / 2**20:,.0f} MiB")


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"An input shape is written HxWxC, as 32x32x3. Received: {text!r}.")
    height, width, channels = map(int, parts)
    return height, width, channels


@cli.command("import")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--size", type=int, help="Height and width in pixels; default: the images' own, or 96.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Grey or colour; default: as the images are.")
@click.option("--test-fraction", type=float, help="Held out for testing where no test/ is given. [0.15]")
@click.option("--policy", type=click.Choice(["stretch", "pad", "crop"]), default="stretch")
@click.option("--mirror", nargs=2, metavar="ONE OTHER", help="Flip class ONE and count it as class OTHER.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    help="A table's column: image, label, part or group is called NAME.",
)
@click.option("--replace", is_flag=True, help="Replace a dataset of the same name.")
def import_(
    name: str,
    path: Path,
    size: int | None,
    channels: str | None,
    test_fraction: float | None,
    policy: str,
    mirror: tuple[str, str] | None,
    columns: tuple[str, ...],
    replace: bool,
) -> None:
    """Import a folder, zip or table of images: a folder a class, or a table of files and labels."""
    from core.datasets.importer import import_images
    from core.datasets.request import parse_columns

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
        columns=parse_columns(columns),
        replace=replace,
        progress=progress,
    )
    if shows:
        click.echo(err=True)
    height, width, depth = info.shape
    parts = ", ".join(f"{sum(counts):,} {part}" for part, counts in info.counts.items() if sum(counts))
    click.echo(f"{name}: {info.num_classes} classes, {height}×{width}×{depth}, {parts}")
    for note in info.notes:
        click.echo(note)
    for problem in info.problems:
        click.echo(f"not imported: {problem.name} {problem.reason}", err=True)


@cli.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="A recipe instead of a config.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
@click.option("--foreground", is_flag=True, help="Train here and now, beside the queue.")
@click.option("--wait", is_flag=True, help="Wait until the runs have ended.")
def train(
    config: Path | None, recipe: str | None, assignments: tuple[str, ...], foreground: bool, wait: bool
) -> None:
    """Train a config or a recipe; prints the ids of its runs, one a line."""
    from core import config as configs
    from core import recipes
    from core.jobs.launch import launch, train_here
    from core.tracking import schema

    if (config is None) == (recipe is None):
        raise ValueError("Give either a config file or --recipe.")
    if recipe:
        chosen, tags = list(recipes.get(recipe).configs), {schema.RECIPE: recipe}
    else:
        assert config is not None
        chosen, tags = [configs.from_yaml(_read(config))], {}
    changes = configs.parse_assignments(assignments)
    chosen = [one.with_values(changes) for one in chosen]
    if foreground:
        states = []
        for one in chosen:
            run_id, state = train_here(one, tags)
            click.echo(run_id)
            states.append(state)
    else:
        run_ids = launch(chosen, tags)
        for run_id in run_ids:
            click.echo(run_id)
        if not wait:
            return
        states = [_wait(run_id) for run_id in run_ids]
    if any(state != schema.FINISHED for state in states):
        failed = sum(state != schema.FINISHED for state in states)
        click.echo(f"{failed} of {len(states)} runs did not finish; `status RUN` says why.", err=True)
        sys.exit(1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The file {path} is not text in UTF-8.") from error


def _wait(run_id: str) -> str:
    from core.jobs.worker import worker_of
    from core.tracking.store import get_store

    store = get_store()
    while (state := store.state(run_id)).active:
        worker_of(store.settings).ensure()
        time.sleep(0.5)
    return state.status


@cli.command()
@click.argument("run", required=False)
@as_json
def status(run: str | None, as_json: bool) -> None:
    """State of one run, or of all."""
    from core.tracking import schema
    from core.tracking.store import get_store

    if run is None:
        _print([_summary(one) for one in _runs()], as_json)
        return
    run_id = get_store().resolve(run)
    one = next(one for one in _runs() if one["run_id"] == run_id)
    if as_json:
        click.echo(json.dumps(one))
        return
    for key, value in _summary(one).items():
        click.echo(f"{key}: {value}")
    if failure := get_store().state(run_id).tags.get(schema.FAILURE):
        click.echo(f"reason: {failure}")
    for key, value in one["metrics"].items():
        click.echo(f"{key}: {value:g}")


def _runs() -> list[dict[str, Any]]:
    """All runs, newest first, by the names of the schema."""
    from core.tracking import frames
    from core.tracking.store import get_store

    return [_nested(row) for _, row in frames.runs(get_store()).iterrows()]


def _nested(row: pd.Series) -> dict[str, Any]:
    given = row.dropna()
    nested = {
        kind: {
            key.removeprefix(f"{kind}."): value for key, value in given.items() if key.startswith(f"{kind}.")
        }
        for kind in ("params", "metrics")
    }
    return {"run_id": row["run_id"], "name": row["name"], "status": row["status"], **nested}


def _summary(run: dict[str, Any]) -> dict[str, Any]:
    metrics = run["metrics"]
    return {
        "run_id": run["run_id"],
        "status": run["status"],
        "name": run["name"],
        "val_accuracy": metrics.get("best_val_accuracy"),
        "test_accuracy": metrics.get("test_accuracy"),
    }


@cli.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@as_json
def log(run: str, follow: bool, as_json: bool) -> None:
    """What a run's training printed: its last lines."""
    from core.jobs.logs import log_path, read_log, readable
    from core.tracking.store import get_store

    store = get_store()
    run_id = store.resolve(run)
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "log": read_log(store, run_id)}))
        return
    path = log_path(store, run_id)
    position = path.stat().st_size if path.exists() else 0  # before: better a line twice than a line lost
    click.echo(read_log(store, run_id))
    while follow and store.state(run_id).active:
        time.sleep(0.5)
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                lines = file.read().rpartition(b"\n")[0]  # a line that is not whole waits
            if lines:
                position += len(lines) + 1
                click.echo(readable(lines.decode("utf-8", errors="replace")))


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def cancel(runs: tuple[str, ...]) -> None:
    """End runs that are queued or training."""
    from core.jobs.launch import cancel as ask
    from core.tracking.store import get_store

    store = get_store()
    for run_id in [store.resolve(run) for run in runs]:
        ask(store, run_id)


@cli.command()
@click.argument("run")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", default=3, show_default=True, help="How many classes to name.")
@click.option("--invert", is_flag=True, help="Exchange dark and light first.")
@as_json
def predict(run: str, images: tuple[Path, ...], top: int, invert: bool, as_json: bool) -> None:
    """Classify image files with the model of a finished run."""
    from core.inference.client import predict as ask
    from core.tracking.store import get_store

    blobs = []
    for path in images:
        try:
            blobs.append(path.read_bytes())
        except OSError as error:
            raise ValueError(f"The image {path} cannot be read: {error.strerror}.") from error
    answers = ask(get_settings(), get_store().resolve(run), blobs, top_k=top, invert=invert)
    pairs = [list(zip(one.classes, one.probabilities, strict=True)) for one in answers]
    if as_json:
        rows = [
            {"image": str(path), "predictions": [{"class": c, "probability": p} for c, p in pair]}
            for path, pair in zip(images, pairs, strict=True)
        ]
        click.echo(json.dumps(rows))
        return
    for path, pair in zip(images, pairs, strict=True):
        click.echo(f"{path}: " + ", ".join(f"{name} {probability:.3f}" for name, probability in pair))


@cli.command()
@click.option(
    "--stop", is_flag=True, help="End worker and prediction process; a training under way ends as FAILED."
)
def worker(stop: bool) -> None:
    """Train what is queued, until stopped. The dashboard starts one by itself."""
    from core.inference.client import inference_of
    from core.jobs.daemon import DaemonExists
    from core.jobs.worker import serve, worker_of

    settings = get_settings()
    if stop:
        for daemon in (inference_of(settings), worker_of(settings)):
            click.echo(f"The {daemon.name} {'was asked to end' if daemon.stop() else 'does not run'}.")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(settings)
    except DaemonExists as error:
        click.echo(str(error))


@cli.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check what the program stands on."""
    from core.doctor import examine

    findings = examine(get_settings())
    _print([{"check": name, "result": result} for name, result, _ in findings], as_json)
    if not all(good for _, _, good in findings):
        sys.exit(1)


@cli.command()
@click.option("--port", default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def dashboard(port: int, host: str) -> None:
    """Serve the dashboard."""
    from core.serve import serve_dashboard

    serve_dashboard(get_settings(), host, port)


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("Nothing yet.")
        return
    texts = [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(list(rows[0]), *texts, strict=True)]
    for line in [list(rows[0]), *texts]:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, (list, tuple)):
        return "×".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)  # a year has no comma


def main() -> None:
    from core.inference.client import InferenceError

    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ValueError, SettingsError, NotAllowed, InferenceError, FileNotFoundError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
