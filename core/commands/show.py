"""Commands that list architectures, datasets, recipes and runs; and the check of the installation."""

from __future__ import annotations

import sys
from typing import Any

import click

from core.commands.group import as_json, cli, print_json, print_rows
from core.system.settings import get_settings

COMPONENTS = ("losses", "optimizers", "preprocessings", "schedules")


@cli.command("list")
@click.argument(
    "what",
    type=click.Choice(["architectures", "datasets", "groups", "models", "recipes", "runs", *COMPONENTS]),
)
@click.option(
    "--filter",
    "wanted",
    metavar="TEXT",
    help="Of runs: only these, as 'model = resnet* and state = finished'.",
)
@click.option("--archived", is_flag=True, help="Of runs: archived ones too.")
@as_json
def list_(what: str, wanted: str | None, archived: bool, as_json: bool) -> None:
    """List architectures, datasets, groups, registered models, recipes or runs, or choices of a config."""
    if (wanted is not None or archived) and what != "runs":
        option = "--filter" if wanted is not None else "--archived"
        raise click.UsageError(f"{option} chooses among runs: use it with 'list runs'.")
    if what in COMPONENTS:
        print_rows(_components(what), as_json)
        return
    rows = {
        "architectures": _architectures,
        "datasets": _datasets,
        "groups": lambda: [row if as_json else _in_percent(row) for row in _groups()],
        "models": lambda: _models(as_json),
        "recipes": _recipes,
        "runs": lambda: [_summary(run, as_json) for run in _runs(wanted or "", archived)],
    }[what]()
    print_rows(rows, as_json)


def _components(kind: str) -> list[dict[str, str]]:
    """What a config can choose, with the settings of each, their defaults and allowed values."""
    from core.components import table

    return table.rows(table.KINDS[kind])


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


def _groups() -> list[dict[str, Any]]:
    """Return the groups of runs over seeds and folds, with means and standard deviations."""
    from core.analysis.repeats import repeats
    from core.tracking import frames
    from core.tracking.store import get_store

    found = repeats(frames.runs(get_store())).dropna(axis="columns", how="all")
    return found.astype(object).where(found.notna(), None).to_dict("records")


def _in_percent(group: dict[str, Any]) -> dict[str, Any]:
    """Format the accuracies of a row of `_groups`, and their deviations, in per cent."""
    from core.analysis.repeats import SCORES
    from core.analysis.values import percent

    scores = {f"{score}{end}" for score in SCORES for end in ("", "_std")}
    return {name: percent(value) if name in scores else value for name, value in group.items()}


def _datasets() -> list[dict[str, Any]]:
    from core import datasets

    rows, found = [], datasets.catalogue()
    for sentence in found.damaged.values():
        click.echo(sentence, err=True)
    for info in found.infos:
        sizes = {subset: sum(counts) for subset, counts in info.counts.items()}
        rows.append({"name": info.name, "shape": info.shape, "classes": info.num_classes, **sizes})
    return rows


def _models(as_json: bool) -> list[dict[str, Any]]:
    """Return the versions of all registered models."""
    from core.analysis.values import percent
    from core.tracking import frames
    from core.tracking.run import runs_of
    from core.tracking.store import get_store

    store = get_store()
    versions = [version for model in store.read.registered() for version in model.versions]
    made = {run.run_id: run for run in runs_of(frames.of_runs(store, [one.run_id for one in versions]))}
    rows = []
    for one in versions:
        run = made.get(one.run_id)
        accuracy = run.metrics.get("test_accuracy") if run else None
        rows.append(
            {
                "name": one.name,
                "version": one.number,
                "aliases": list(one.aliases) if as_json else ", ".join(one.aliases) or "-",
                "run_id": one.run_id,
                "run": run.name if run else None,
                "test_accuracy": accuracy if as_json else percent(accuracy),
                "description": one.description,
            }
        )
    return rows


def _recipes() -> list[dict[str, Any]]:
    """Return what each recipe asks and how many figures were published for it; damaged ones on stderr."""
    from core import recipes

    rows = []
    for name in recipes.names():
        try:
            recipe = recipes.get(name)
        except recipes.RecipeError as error:
            click.echo(str(error), err=True)
            continue
        rows.append(
            {
                "name": name,
                "runs": recipe.size,
                "title": recipe.title,
                "data": "yours" if recipe.waits_for_data else ", ".join(recipe.datasets),
                "published": sum(len(run.published) for run in recipe.runs),
            }
        )
    return rows


@cli.command()
@click.argument("run", required=False)
@as_json
def status(run: str | None, as_json: bool) -> None:
    """Show the state of one run, of a group by its id, or of all runs."""
    from core.analysis.values import kept_accuracy, percent
    from core.tracking import schema
    from core.tracking.store import get_store

    if run is None:
        print_rows([_summary(one, as_json) for one in _runs()], as_json)
        return
    run_id = get_store().resolve(run)
    one = next((one for one in _runs(archived=True) if one["run_id"] == run_id), None)
    if one is None:  # the parent of a group
        none = {"group": run_id, "name": get_store().state(run_id).name, "runs": 0, "finished": 0}
        group = next(
            (group for group in _groups() if group["group"] == run_id), none
        )  # none: its launch failed
        shown = group if as_json else _in_percent(group)
        print_rows([shown | {"status": get_store().state(run_id).status}], as_json)
        return
    if as_json:
        print_json(one)
        return
    for key in ("run_id", "status", "name"):
        click.echo(f"{key}: {one[key]}")
    tags = get_store().state(run_id).tags
    for name, tag in (("reason", schema.FAILURE), ("not logged", schema.NOT_LOGGED)):
        if tag in tags:
            click.echo(f"{name}: {tags[tag]}")
    for remark in one["remarks"]:
        click.echo(f"remark: {remark}")
    first = (kept_accuracy(one["params"].get("training.keep")), "test_accuracy")
    for key in [*first, *(key for key in one["metrics"] if key not in first)]:
        value = one["metrics"].get(key)
        number = value is not None and not key.endswith("accuracy")
        click.echo(f"{key}: {f'{value:g}' if number else percent(value)}")


def _runs(wanted: str = "", archived: bool = False) -> list[dict[str, Any]]:
    """Return all runs, newest first, with the keys of the schema, and remarks as on the Compare page.

    wanted: a filter (`core.analysis.filter_grammar`) that leaves some out. archived: these too.
    """
    from core.analysis import health, run_filter
    from core.analysis.filter_grammar import FilterError
    from core.analysis.table_columns import catalogue_of
    from core.analysis.values import is_final
    from core.tracking import frames
    from core.tracking.run import runs_of
    from core.tracking.store import get_store

    runs = frames.runs(get_store(), archived=archived)
    if wanted:
        tags = [name.removeprefix("tags.") for name in runs.columns if name.startswith("tags.")]
        try:
            runs = runs[run_filter.of_text(wanted, catalogue_of(runs), tags).rows(runs)]
        except FilterError as error:
            raise click.UsageError(str(error)) from error
    return [
        {
            "run_id": run.run_id,
            "name": run.name,
            "status": run.status,
            "params": dict(run.params),
            "metrics": {name: value for name, value in run.metrics.items() if is_final(name, run.status)},
            "tags": dict(run.tags),
            "remarks": [trouble.sentence for trouble in health.troubles(run)],
        }
        for run in runs_of(runs)
    ]


def _summary(run: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Return a run as one row.

    as_json: accuracies as fractions, None where not logged; otherwise as text.
    """
    from core.analysis.values import kept_accuracy, not_a_fraction, percent

    def accuracy(name: str) -> float | str | None:
        value = run["metrics"].get(name)
        if not as_json:
            return percent(value)
        return None if value is None or not_a_fraction("", value) else value

    return {
        "run_id": run["run_id"],
        "status": run["status"],
        "name": run["name"],
        "val_accuracy": accuracy(kept_accuracy(run["params"].get("training.keep"))),
        "test_accuracy": accuracy("test_accuracy"),
        **({key: run[key] for key in ("params", "metrics", "tags", "remarks")} if as_json else {}),
    }


@cli.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check the installation: packages, disk, store, GPU, cluster and worker."""
    from core.doctor import examine

    findings = examine(get_settings())
    print_rows([{"check": name, "result": result} for name, result, _ in findings], as_json)
    if not all(good for _, _, good in findings):
        sys.exit(1)
