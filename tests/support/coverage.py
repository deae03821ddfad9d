"""Measure which lines and branches of `core` the tests run: the pytest plugin of `make test`.

    .venv/bin/python -m pytest -p tests.support.coverage

SlipCover compiles probes into the modules of `core`. A tracer is called for every line and call of every
library too: with coverage.py, which is one before Python 3.12, the suite takes twice the time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
import slipcover
from slipcover.config import read_config
from slipcover.importer import SlipcoverLoader

PACKAGE = "core"
RUN = "lines and branches"  # of each file, in what a worker hands over
NEVER = 2**31 - 1  # SlipCover would exchange the code of functions that run, to remove probes that were hit

_config = read_config()
_matcher = slipcover.FileMatcher(sources=[PACKAGE], omit=_config["omit"])
_measured = slipcover.Slipcover(
    branch=True,
    d_miss_threshold=NEVER,
    source=[PACKAGE],
    omit=_config["omit"],
    exclude_also=_config["exclude-also"],
)
_FOUND = pytest.StashKey[dict[str, Any]]()


class Finder(MetaPathFinder):
    """Finds the modules of `core` as the import system does, and has them compiled with probes.

    SlipCover's own finder asks for every module, and comes before the one with which pytest finds tests.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None and _matcher.matches(spec.origin):
            spec.loader = SlipcoverLoader(_measured, spec.loader, str(spec.origin))
        return spec


assert not [name for name in sys.modules if name.partition(".")[0] == PACKAGE], "imported without probes"
sys.meta_path.insert(0, Finder())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Say what was run: a worker to the process that started it, any other in the terminal."""
    if hasattr(session.config, "workeroutput"):
        seen_of = list(_measured.newly_seen.items())  # other threads may still add to it
        session.config.workeroutput[RUN] = {file: list(seen) for file, seen in seen_of}
        return
    found = session.config.stash[_FOUND] = _measured.get_coverage()
    enough = found["summary"]["percent_covered"] >= _config["fail-under"]
    if session.exitstatus == pytest.ExitCode.OK and not enough:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker ran; one that died has said nothing."""
    for file, seen in getattr(node, "workeroutput", {}).get(RUN, {}).items():
        _measured.newly_seen[file].update(tuple(one) if isinstance(one, list) else one for one in seen)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(_FOUND, None)
    if found is None:  # the session was cut off before it ended
        return
    table = StringIO()
    slipcover.print_coverage(found, outfile=table, skip_covered=True, missing_width=60)
    terminalreporter.write(table.getvalue())
    percent, least = found["summary"]["percent_covered"], _config["fail-under"]
    terminalreporter.write_line(
        f"{percent:.2f} % of the lines and branches of {PACKAGE}; {least} % are required.",
        red=percent < least,
    )
