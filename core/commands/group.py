"""The group of all commands, and their output formats."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Train, compare and demonstrate convolutional architectures."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # hide the log lines about creating tables


def print_json(value: Any) -> None:
    """Print JSON; null stands for infinity and NaN, which JSON does not have."""
    click.echo(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print a table with the keys of the first row as its header, or JSON."""
    if as_json:
        print_json(rows)
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
    return (
        f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
    )  # a year is printed without a comma
