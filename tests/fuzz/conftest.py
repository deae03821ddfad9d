"""How hard texts, files and addresses are tried: a little in `make test`, for long in `make fuzz`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

TIMES = int(os.environ.get("ARCHLAB_FUZZ", "1"))  # how many times as many inputs as `make test` tries
MEMORY = 1 << 30  # bytes that a whole module of hostile inputs may add to this process

settings.register_profile(
    "archlab",
    deadline=None,  # a machine may be busy; what hangs meets the time limit of the test
    database=None,
    derandomize=TIMES == 1,  # a failure in `make test` is there again in the next run
    print_blob=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)
settings.load_profile("archlab")


def tries(examples: int) -> settings:
    """The decorator of a test that tries so many inputs in `make test`."""
    return settings(max_examples=examples * TIMES)


@pytest.fixture(scope="session", autouse=True)
def nothing_in_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hypothesis keeps what it learned about Unicode in a folder: not in this one."""
    set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> Iterator[None]:
    """Fail where the hostile inputs of a module together took more memory than `MEMORY` at any moment."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _memory("VmRSS")
    yield
    assert _memory("VmHWM") - before < MEMORY


def _memory(entry: str) -> int:
    """Bytes, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(entry))
