"""`python -m core COMMAND`, see core.commands."""

from __future__ import annotations

import sys

import click

from core.commands import cli
from core.system.files import disk_words, is_of_the_disk
from core.system.redaction import redact_output
from core.system.settings import NotAllowed, SettingsError
from core.tracking.errors import fault_of, first_line
from core.tracking.patience import be_impatient


def main() -> None:
    from core.inference.client import InferenceError

    redact_output()
    be_impatient()  # a store that is away is said within seconds; what must wait for it does so by itself
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
    except Exception as error:
        if is_of_the_disk(error):
            click.echo(f"Error: {disk_words(error)}", err=True)
            sys.exit(2)
        if fault_of(error) is None:
            raise
        click.echo(f"Error: The tracking store failed: {first_line(error)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
