"""The command that searches for good settings, and the process that does."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.group import cli
from core.system.settings import get_settings


@cli.command()
@click.argument("name")
@click.option("--config", type=click.Path(path_type=Path), help="Begin a search from this experiment.")
@click.option("--space", multiple=True, metavar="NAME=VALUES", help="A list, or a range: a..b or a..b/log.")
@click.option("--trials", type=int, help="Budget: how many trials. Of a search that exists: its new budget.")
@click.option("--hours", type=float, help="Budget: how many hours. 0: no limit.")
@click.option("--at-once", default=1, show_default=True, help="Trials beside each other.")
@click.option("--seeds", default=1, show_default=True, help="Trainings of each trial.")
@click.option("--macs", is_flag=True, help="Few multiply-accumulates are a second objective.")
@click.option("--no-prune", is_flag=True, help="Train every trial to its end.")
@click.option("--detach", is_flag=True, help="Search in a process that outlives this terminal.")
@click.option("--serve", is_flag=True, hidden=True, help="The detached process itself: a stop holds.")
@click.option("--stop", is_flag=True, help="Begin no further trial.")
def search(
    name: str,
    config: Path | None,
    space: tuple[str, ...],
    trials: int | None,
    hours: float | None,
    at_once: int,
    seeds: int,
    macs: bool,
    no_prune: bool,
    detach: bool,
    serve: bool,
    stop: bool,
) -> None:
    """Search for the settings with the best validation accuracy; goes on with one that was begun."""
    from core import config as configs
    from core.commands.train import read_text
    from core.searching import plan as plans
    from core.searching import process
    from core.system.daemon import DaemonExists

    settings = get_settings()
    budget = {key: value for key, value in (("trials", trials), ("hours", hours)) if value is not None}
    if stop:
        process.stop(settings, name)
        return
    if config is not None or space:
        base = configs.from_yaml(read_text(config)) if config else configs.ExperimentConfig()
        values = {"config": base.model_dump(), "space": plans.space_of(space), "at_once": at_once}
        values |= {"seeds": seeds, "macs": macs, "prune": not no_prune, **budget}
        plans.begin(settings, name, values)
    elif budget:
        process.change(settings, name, **budget)
    plans.read(settings, name)
    if not serve:
        process.go_on(settings, name)
    if detach:
        process.search_of(settings, name).ensure()
        return
    try:
        process.serve(settings, name)
    except DaemonExists as error:
        click.echo(str(error))
