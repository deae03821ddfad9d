"""The command that prints a table of runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from core.commands.group import cli
from core.commands.study import entries as entries_of

if TYPE_CHECKING:
    import pandas as pd

    from core.analysis.entries import Entry
    from core.tracking.store import RunStore

FORMATS = ("markdown", "csv", "latex", "json")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(FORMATS), default="markdown", show_default=True)
@click.option("--columns", help="Names of columns, with commas between; default: those that the page shows.")
@click.option("--baseline", metavar="RUN", help="Also print the differences from this one of them.")
@click.option("--all-settings", is_flag=True, help="Also print the settings that are the same in all.")
def compare(
    runs: tuple[str, ...], form: str, columns: str | None, baseline: str | None, all_settings: bool
) -> None:
    """Print a table of some runs: results, cost, and the settings in which they differ.

    A group is given by its id, and stands as the mean of its finished runs with its 95% interval. Which of
    them is better, by their test predictions, is said on stderr.
    """
    from core import datasets
    from core.analysis import export, shown_table, table_columns
    from core.analysis.differences import differing_columns
    from core.analysis.entries import run_ids_of
    from core.analysis.titles import label
    from core.tracking import frames, schema
    from core.tracking.store import get_store

    store = get_store()
    compared = entries_of(store, runs)
    given = {entry.key: entry for entry in compared}
    key = None if baseline is None else store.resolve(baseline)
    if key is not None and key not in given:
        raise click.UsageError(f"The baseline '{baseline}' is not among the runs that are compared.")
    found = frames.of_runs(store, run_ids_of(compared))
    available = table_columns.catalogue_of(found)
    if columns is None:
        every = [name for name, one in available.items() if one.section == table_columns.SETTINGS]
        settings = every if all_settings else differing_columns(found)
        names = [name for name in shown_table.DEFAULT_COLUMNS if name in available]
        names += [name for name in settings if name not in names]
    else:
        names = [name.strip() for name in columns.split(",")]
        if unknown := [name for name in names if name not in available]:
            raise click.UsageError(f"These runs have no column '{unknown[0]}'.")
    few = [info.name for info in datasets.catalogue().infos if info.num_classes <= schema.TOP]
    table = shown_table.build(
        compared, found, names, available, few_classes=few, baseline=None if key is None else given[key]
    )
    titles = {name: label(name) for name in table.rows}
    click.echo(export.write(replace(table, titles=titles), form), nl=False)
    for sentence in _verdict(store, compared, found) if len(compared) > 1 else ():
        click.echo(sentence, err=True)


def _verdict(store: RunStore, compared: Sequence[Entry], found: pd.DataFrame) -> list[str]:
    """Say which of some entries is better by their test predictions, and which cannot be compared.

    Args:
        found: All runs of the entries, as `frames.of_runs` gives them.
    """
    from functools import cache

    from core.analysis.evaluated_images import Answers, answers_of
    from core.analysis.evidence import gather
    from core.analysis.verdict import decide
    from core.analysis.verdict_words import caveats, set_sentence
    from core.datasets.store import import_of
    from core.tracking import frames
    from core.tracking.run import runs_of

    def read(run_id: str) -> Answers:
        return answers_of(frames.predictions(store, run_id))

    evidence = gather(compared, {run.run_id: run for run in runs_of(found)}, read, cache(import_of))
    if len(evidence.tested) < 2:
        return [*evidence.left_out, "No two of them can be compared by their test predictions."]
    verdict = decide(evidence)
    return [*evidence.left_out, set_sentence(verdict), *caveats(verdict)]
