"""Commands that cancel, archive, restore, delete, lock and unlock runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from core.commands.group import cli

if TYPE_CHECKING:
    from core.tracking.store import RunStore


def run_title(store: RunStore, run_id: str) -> str:
    """Return the name of a run or group and the first digits of its id."""
    return f"'{store.state(run_id).name}' ({run_id[:8]})"


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def cancel(runs: tuple[str, ...]) -> None:
    """Cancel runs that are queued or training; a group by its id, with all its runs."""
    from core.launching.continuing import cancel as ask
    from core.tracking.store import get_store

    store = get_store()
    count = sum(ask(store, run_id) for run_id in [store.resolve(run) for run in runs])
    click.echo(f"{count} {'run was' if count == 1 else 'runs were'} asked to end.")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def archive(runs: tuple[str, ...]) -> None:
    """Leave runs, or groups with all their runs, out of lists and comparisons; they keep all their files.

    Refused for runs that are queued or train. `list runs --archived` lists them too.
    """
    from core.jobs.archive import archive as put_away
    from core.tracking.store import get_store

    store = get_store()
    count = len(put_away(store, [store.resolve(run) for run in runs]))
    click.echo(f"{count} {'run is' if count == 1 else 'runs are'} archived.")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def restore(runs: tuple[str, ...]) -> None:
    """Put archived runs, or groups with all their runs, back into lists and comparisons."""
    from core.jobs.archive import restore as put_back
    from core.tracking.store import get_store

    store = get_store()
    count = len(put_back(store, [store.resolve(run) for run in runs]))
    click.echo(f"{count} {'run is' if count == 1 else 'runs are'} restored.")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(runs: tuple[str, ...], yes: bool) -> None:
    """Delete runs, or groups with all their runs, for good: models, artifacts, checkpoints and logs too.

    Refused for runs that are queued or train, that are locked or registered, and that others extend or start
    from. On a tracking server, and in the database, a row marked as deleted stays until `mlflow gc`.
    """
    from core.jobs.deletion import delete as remove
    from core.tracking.store import get_store

    store = get_store()
    run_ids = [store.resolve(run) for run in runs]
    if not yes:
        names = ", ".join(store.state(run_id).name for run_id in run_ids)
        click.confirm(f"Delete {names} for good, with all files?", abort=True)
    found = remove(store, run_ids)
    count = len(found.run_ids)
    click.echo(f"{count} {'run was' if count == 1 else 'runs were'} deleted.")
    for place in found.left:
        click.echo(f"not removed: {place}", err=True)


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def lock(runs: tuple[str, ...]) -> None:
    """Protect runs from being deleted."""
    from core.jobs.deletion import lock as protect
    from core.tracking.store import get_store

    store = get_store()
    run_ids = [store.resolve(run) for run in runs]
    protect(store, run_ids)
    for run_id in run_ids:
        click.echo(f"{run_title(store, run_id)} is locked: it cannot be deleted.")


@cli.command()
@click.argument("runs", nargs=-1, required=True)
def unlock(runs: tuple[str, ...]) -> None:
    """Let locked runs be deleted again."""
    from core.jobs.deletion import unlock as release
    from core.tracking.store import get_store

    store = get_store()
    run_ids = [store.resolve(run) for run in runs]
    release(store, run_ids)
    for run_id in run_ids:
        click.echo(f"{run_title(store, run_id)} is not locked any more: it can be deleted.")
