"""Commands that train: a config or a recipe, and runs that are resumed or extended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.commands.group import cli
from core.commands.runs import run_title

if TYPE_CHECKING:
    from core.jobs.groups import Group
    from core.tracking.run_state import RunState
    from core.tracking.store import RunStore


@cli.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="A recipe instead of a config.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Change a setting.")
@click.option("--foreground", is_flag=True, help="Train at once in this terminal, outside the queue.")
@click.option("--wait", is_flag=True, help="Wait until the runs have ended.")
@click.option("--seeds", default=1, show_default=True, help="Number of seeds to repeat each run with.")
@click.option(
    "--sweep",
    "swept",
    multiple=True,
    metavar="NAME=VALUES",
    help="Train every combination: model.name=lenet5,conv3; a range: optimizer.momentum=0.5..0.9/3.",
)
@click.option("--sample", default=0, help="Of a sweep: this many combinations, drawn at random. 0: all.")
@click.option("--folds", default=0, help="Number of folds; each validates once. 0: one split.")
def train(
    config: Path | None,
    recipe: str | None,
    assignments: tuple[str, ...],
    foreground: bool,
    wait: bool,
    seeds: int,
    swept: tuple[str, ...],
    sample: int,
    folds: int,
) -> None:
    """Train a config or a recipe; prints the ids of its runs, one per line.

    Repeated over seeds and folds, the runs of a config form a group under one parent. With --wait or
    --foreground, their progress is printed on stderr.
    """
    from core import config as configs
    from core import recipes
    from core.launching import recipes as launching
    from core.launching.checks import notes, warnings
    from core.launching.launch import launch_groups
    from core.tracking.store import get_store

    if (config is None) == (recipe is None):
        raise ValueError("Give either a config file or --recipe.")
    if recipe is not None and (swept or sample):
        raise ValueError("A recipe has its own runs: sweep a config file instead.")
    changes = configs.parse_assignments(assignments)
    if recipe is not None:
        planned = launching.plan(recipes.get(recipe), get_store(), changes, seeds, folds)
        groups, tags = list(planned.groups), dict(planned.tags)
        for sentence in planned.left_out:
            click.echo(f"Note: {sentence}", err=True)
    else:
        assert config is not None
        groups, tags = _of_config(config, changes, seeds, folds, swept, sample), dict[str, str]()
    firsts = (group.configs[0] for group in groups)
    to_check = {
        (first.data, first.model.weights): first for first in firsts
    }  # the notes depend only on these
    for word, said in (("Note", notes), ("Warning", warnings)):
        for sentence in dict.fromkeys(one for each in to_check.values() for one in said(each)):
            click.echo(f"{word}: {sentence}", err=True)
    if foreground:
        states = _train_here(groups, tags)
    else:
        run_ids = launch_groups(groups, tags)
        for run_id in run_ids:
            click.echo(run_id)
        _report_groups(get_store(), run_ids)
        if not wait:
            return
        states = _wait(run_ids)
    _exit_with(states)


def _of_config(
    path: Path, changes: dict[str, Any], seeds: int, folds: int, swept: tuple[str, ...], sample: int
) -> list[Group]:
    """Return the group of a config's file, or of its sweep, whose size and time are printed on stderr."""
    from core import config as configs
    from core.jobs.groups import repeated
    from core.launching import sweep
    from core.launching.cost import cost, cost_words
    from core.tracking.store import get_store

    base, found = sweep.split_config(configs.tree_of(read_text(path)))
    chosen = configs.from_mapping(base).with_values(changes)
    if swept:
        found = sweep.parse(swept)
    if found is None:
        if sample:
            raise ValueError("--sample draws among the combinations of a sweep: give one.")
        return [repeated(chosen, seeds, folds)]
    group = sweep.group_of(chosen, sweep.with_sample(found, sample), seeds, folds)
    click.echo(f"Sweep: {cost_words(cost(group.configs, get_store()))}", err=True)
    return [group]


def _exit_with(states: list[str]) -> None:
    """Exit with code 1 if a run did not finish."""
    from core.tracking import schema

    failed = sum(state != schema.FINISHED for state in states)
    if failed:
        click.echo(f"{failed} of {len(states)} runs did not finish; `status RUN` says why.", err=True)
        sys.exit(1)


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"The file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The file {path} is not text in UTF-8.") from error


def _train_here(groups: Sequence[Group], tags: dict[str, str]) -> list[str]:
    """Train in this process's place, one run after the other, and print the progress.

    Returns the final states.
    """
    from core.commands.watch import Background
    from core.launching.launch import train_group_here
    from core.tracking import schema
    from core.tracking.patience import patiently
    from core.tracking.store import get_store

    store, watched = get_store(), list[Background]()

    def created(run_id: str) -> None:
        click.echo(run_id)
        if patiently(lambda: store.state(run_id)).tags.get(schema.PARENT) not in reported:
            reported.update(_report_groups(store, [run_id]))
        watched.append(Background(store, run_id))

    states, reported = list[str](), set[str]()
    for group in groups:
        for _, state in train_group_here(group, tags, created):
            watched[-1].finish()
            states.append(state)
    return states


def _report_groups(store: RunStore, run_ids: Sequence[str]) -> list[str]:
    """Print on stderr the groups of some runs, and how to see their means; returns the groups' ids."""
    from core.tracking import schema

    tags = [store.state(run_id).tags for run_id in run_ids]
    parents = list(dict.fromkeys(one[schema.PARENT] for one in tags if schema.PARENT in one))
    for parent in parents:
        group = store.state(parent)
        click.echo(group_words(parent, group), err=True)
    return parents


def group_words(parent: str, group: RunState) -> str:
    """Say how to see what a group came to; of a sweep, whose settings differ, there is no mean."""
    from core.tracking import schema

    count = group.tags[schema.GROUP]
    if schema.SWEEP in group.tags:
        return (
            f"Sweep {parent} of {count} runs of '{group.name}': `list runs` has each of them, and Compare "
            "shows them by their settings."
        )
    return (
        f"Group {parent} of {count} runs of '{group.name}': `status {parent[:8]}` shows its means and "
        "standard deviations, `list groups` those of all groups."
    )


def _wait(run_ids: Sequence[str]) -> list[str]:
    """Wait until runs have ended, printing their progress; returns their final states."""
    from core.commands.watch import Watch
    from core.tracking.store import get_store

    return Watch(get_store(), run_ids).until_ended()


@cli.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--wait", is_flag=True, help="Wait until the runs have ended.")
def resume(runs: tuple[str, ...], wait: bool) -> None:
    """Resume runs that failed or were cancelled from their last checkpoint."""
    from core.launching.continuing import resume as put_back
    from core.tracking.store import get_store

    store = get_store()
    run_ids = [store.resolve(run) for run in runs]
    for run_id in run_ids:
        put_back(store, run_id)
        begun = store.settings.checkpoint(run_id).exists()
        how = "continues from its last checkpoint" if begun else "has no checkpoint here and starts again"
        click.echo(f"{run_title(store, run_id)} is in the queue again; it {how}.")
    if wait:
        _exit_with(_wait(run_ids))


@cli.command()
@click.argument("run")
@click.option("--epochs", required=True, type=int, help="How many more.")
@click.option("--learning-rate", type=float, help="Constant in these epochs, instead of the run's schedule.")
@click.option(
    "--stretch", is_flag=True, help="Stretch a cosine or one cycle over all epochs; the rate jumps."
)
@click.option("--wait", is_flag=True, help="Wait until the run has ended.")
def extend(run: str, epochs: int, learning_rate: float | None, stretch: bool, wait: bool) -> None:
    """Train a finished run for more epochs, as a new run that includes the earlier ones; prints its id.

    A cosine or one cycle ended with the run, so it needs --learning-rate or --stretch.
    """
    from core.launching.continuing import extend as longer
    from core.tracking.store import get_store

    store = get_store()
    run_id = longer(store, store.resolve(run), epochs, learning_rate, stretch)
    click.echo(run_id)
    if wait:
        _exit_with(_wait([run_id]))
