"""`python -m core COMMAND`, see core.commands."""

from __future__ import annotations

import sys

import click

from core.commands import cli
from core.settings import NotAllowed, SettingsError


def main() -> None:
    from core.inference.client import InferenceError

    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ValueError, SettingsError, NotAllowed, InferenceError, FileNotFoundError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
