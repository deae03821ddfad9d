"""Commands that run a process: the worker and the dashboard."""

from __future__ import annotations

import logging

import click

from core.commands.group import cli
from core.system.output import print_whatever_happens
from core.system.redaction import redact_output
from core.system.settings import get_settings


@cli.command()
@click.option(
    "--stop", is_flag=True, help="End worker and prediction process; a training under way ends as FAILED."
)
def worker(stop: bool) -> None:
    """Train queued runs until stopped. The dashboard starts a worker by itself."""
    from core.inference.process import inference_of, onnx_inference_of
    from core.jobs.worker import serve, worker_of
    from core.system.daemon import DaemonExists

    settings = get_settings()
    if stop:
        for daemon in (inference_of(settings), onnx_inference_of(settings), worker_of(settings)):
            click.echo(f"The {daemon.name} {'was asked to end' if daemon.stop() else 'does not run'}.")
        return
    print_whatever_happens()
    redact_output()  # what is printed to now
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(settings)
    except DaemonExists as error:
        click.echo(str(error))


@cli.command()
@click.option("--port", default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def dashboard(port: int, host: str) -> None:
    """Serve the dashboard."""
    from core.serve import serve_dashboard

    serve_dashboard(get_settings(), host, port)
