"""The command that describes a model."""

from __future__ import annotations

import click

from core.commands.group import as_json, cli, print_json, print_rows
from core.system.settings import get_settings
from core.system.units import byte_size


@cli.command()
@click.argument("architecture")
@click.option("--input", "input_", metavar="HxWxC", help="Input shape; default: the architecture's own.")
@click.option("--classes", type=int, help="Number of classes; default: the architecture's own.")
@click.option(
    "--batch",
    default=32,
    type=click.IntRange(min=1),
    show_default=True,
    help="Batch size of the memory estimate.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the architecture, or a setting such as model.freeze=all.",
)
@as_json
def describe(
    architecture: str,
    input_: str | None,
    classes: int | None,
    batch: int,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Layers, parameters and multiply-accumulates of a model."""
    from core.config import ExperimentConfig, parse_assignments
    from core.inference import client
    from core.inference.descriptions import PROCESS_MEMORY

    shape = _shape(input_) if input_ else None
    options = parse_assignments(assignments)
    transfer = {key: options.pop(key) for key in list(options) if key.startswith("model.")}
    if transfer:
        named = {"model.name": architecture} | {f"model.options.{key}": options[key] for key in options}
        model = ExperimentConfig().with_values(named | transfer).model
        description = client.describe_transfer(get_settings(), model, shape, classes, batch)
    else:
        description = client.describe(get_settings(), architecture, shape, classes, options, batch)
    if as_json:
        print_json(description.to_dict())
        return
    columns = ("name", "type", "output_shape", "parameters", "trainable_parameters", "macs")
    print_rows([{key: getattr(layer, key) for key in columns} for layer in description.layers], False)
    for key in ("total_parameters", "trainable_parameters", "macs", "depth"):
        click.echo(f"{key.replace('_', ' ')}: {getattr(description, key):,}")
    click.echo(f"memory of a training with batches of {batch}: {byte_size(description.memory.total)}")
    click.echo(PROCESS_MEMORY)


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"An input shape is written HxWxC, as 32x32x3. Received: {text!r}.")
    height, width, channels = map(int, parts)
    return height, width, channels
