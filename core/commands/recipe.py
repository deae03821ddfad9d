"""The command that shows a recipe: what it asks, what was published, and what was measured here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.commands.group import as_json, cli, print_json

if TYPE_CHECKING:
    from core.analysis.recipe_results import Result


@cli.command()
@click.argument("name")
@click.option(
    "--export", "out", type=click.Path(path_type=Path), help="Write its YAML into this file instead."
)
@as_json
def recipe(name: str, out: Path | None, as_json: bool) -> None:
    """Show a recipe: what it asks, and its published figures beside those of its runs in this store."""
    from core import recipes
    from core.analysis.recipe_results import result
    from core.system.files import write_whole
    from core.tracking import frames
    from core.tracking.run import runs_of
    from core.tracking.store import get_store

    found = recipes.get(name)
    if out is not None:
        if not out.parent.is_dir():
            raise ValueError(f"There is no folder '{out.parent}' to write the recipe to.")
        write_whole(out, recipes.text(name))
        click.echo(out)
        return
    judged = result(found, runs_of(frames.runs(get_store())))
    if as_json:
        print_json(_tree(judged))
        return
    _print(judged)


def _tree(judged: Result) -> dict[str, Any]:
    recipe = judged.recipe
    return {
        "name": recipe.name,
        "title": recipe.title,
        "description": recipe.description,
        "paper": recipe.paper,
        "data": recipe.data.model_dump(),
        "hardware": recipe.hardware,
        "time": recipe.time.model_dump(),
        "variant_of": recipe.variant_of,
        "differs": list(judged.differs),
        "runs": [
            {"title": one.title, "settings": dict(one.settings), "seeds": one.seeds, "folds": one.folds,
             "run_ids": [run.run_id for run in judged.runs[one.title]]}
            for one in recipe.runs
        ],
        "figures": [
            {"run": one.run, **one.published.model_dump(), "measured": one.measured, "repeats": one.repeats,
             "interval": one.interval, "verdict": one.verdict}
            for one in judged.figures
        ],
        "orders": [one._asdict() for one in judged.orders],
    }  # fmt: skip


def _print(judged: Result) -> None:
    from core.analysis import recipe_results as results
    from core.commands.group import print_rows

    recipe = judged.recipe
    click.echo(f"{recipe.title}\n{recipe.description}")
    for label, words in (
        ("published", recipe.paper),
        ("hardware", recipe.hardware),
        ("data", recipe.data.words),
        ("asks", results.asks_words(recipe)),
    ):
        if words:
            click.echo(f"{label}: {words}")
    if judged.figures:
        print_rows(
            [
                {
                    "run": one.run if one.published.fold is None else f"{one.run}, fold {one.published.fold}",
                    "metric": results.WORDS[one.published.metric],
                    "published": results.figure_words(
                        one.published.metric, one.published.value, one.published.to
                    ),
                    "measured": results.figure_words(one.published.metric, one.measured),
                    "95% interval": results.interval_words(one.interval),
                    "verdict": results.verdict_words(one).partition(":")[0],
                }
                for one in judged.figures
            ],
            False,
        )
    for order in judged.orders:
        click.echo(f"{order.words} {results.order_words(order)}")
    for sentence in judged.differs:
        click.echo(f"differs: {sentence}")
