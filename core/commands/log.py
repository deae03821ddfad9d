"""The command that prints a run's log."""

from __future__ import annotations

import time

import click

from core.commands.group import as_json, cli, print_json


@cli.command()
@click.argument("run")
@click.option("--follow", is_flag=True, help="Follow the log until the run has ended.")
@as_json
def log(run: str, follow: bool, as_json: bool) -> None:
    """Print the last lines of a run's log."""
    from core.jobs.logs import log_path, read_log, readable
    from core.tracking.store import get_store

    store = get_store()
    run_id = store.resolve(run)
    if as_json:
        print_json({"run_id": run_id, "log": read_log(store, run_id)})
        return
    path = log_path(store, run_id)
    position = (
        path.stat().st_size if path.exists() else 0
    )  # read first: a line may be printed twice, but none is lost
    click.echo(read_log(store, run_id))
    while follow and store.state(run_id).active:
        time.sleep(0.5)
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                lines = file.read().rpartition(b"\n")[0]  # an incomplete line is printed later
            if lines:
                position += len(lines) + 1
                click.echo(readable(lines.decode("utf-8", errors="replace")))
