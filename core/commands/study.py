"""The command that writes a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.group import cli

if TYPE_CHECKING:
    from core.analysis.entries import Entry
    from core.tracking.store import RunStore


@cli.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("study.html"), show_default=True)
def study(runs: tuple[str, ...], out: Path) -> None:
    """Write a comparison of runs as one HTML file, which needs no server and no network.

    A group is given by its id, and is shown by the mean of its runs.
    """
    from core.study import render, study_of
    from core.system.files import write_whole
    from core.tracking.store import get_store

    if not out.parent.is_dir():
        raise ValueError(f"There is no folder '{out.parent}' to write the study to.")
    store = get_store()
    text = render(study_of(store, entries(store, runs)))
    write_whole(out, text)
    click.echo(out)


def entries(store: RunStore, given: tuple[str, ...]) -> list[Entry]:
    """Return runs and groups by the beginnings of their ids, each once."""
    from core.analysis.entries import Entry, entry_of
    from core.analysis.experiments import experiment_name
    from core.tracking import frames, schema
    from core.tracking.run import runs_of

    every = runs_of(frames.runs(store, (schema.PARENT,), archived=True))
    found = []
    for run_id in dict.fromkeys(store.resolve(one) for one in given):
        members = [run for run in every if run.run_id == run_id or run.parent == run_id]
        if not members:
            raise ValueError(f"The group '{run_id}' has no runs.")
        if all(run.archived for run in members):
            raise ValueError(f"'{store.state(run_id).name}' is archived: restore it before comparing it.")
        members = [run for run in members if not run.archived]
        if members[0].run_id == run_id:
            found.append(entry_of(members[0]))
        else:
            ids = tuple(run.run_id for run in members)
            found.append(Entry(run_id, experiment_name(members[0].name), ids))
    return found
