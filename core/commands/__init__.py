"""The command line: the same functions that the pages call.

Exit 0: done. 1: a run failed. 2: the request was wrong; one line on stderr says why.
"""

from core.commands import (
    compare,
    curate,
    data,
    describe,
    export,
    log,
    predict,
    processes,
    recipe,
    runs,
    search,
    show,
    study,
    train,
)
from core.commands.group import cli

__all__ = [
    "cli",
    "compare",
    "curate",
    "data",
    "describe",
    "export",
    "log",
    "predict",
    "processes",
    "recipe",
    "runs",
    "search",
    "show",
    "study",
    "train",
]
