"""Whatever is typed after a command or stands in a variable, it is done or refused in a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.system.settings import SettingsError, from_environment
from core.tracking.store import get_store
from tests.fuzz import texts
from tests.fuzz.conftest import tries
from tests.support.commands import run
from tests.support.homes import copy_store, using

pytestmark = pytest.mark.slow

ARGUMENTS = st.one_of(texts.words, st.sampled_from(texts.SETTINGS), texts.token_soup).filter(
    lambda text: "\0" not in text  # no shell passes it
)
COMMANDS = (
    ("status",), ("log",), ("cancel",), ("lock",), ("unlock",), ("resume",), ("delete",
    "--yes"), ("findings",),
    ("changes",), ("take-back", "--all"), ("delete-dataset", "--yes"), ("train", "--recipe"), ("train",),
    ("extend", "--epochs", "1"), ("extend", "--epochs"), ("list",), ("import", "--dry-run", "x"),
    ("import", "x", "/nowhere", "--size"), ("import", "x", "/nowhere", "--test-fraction"),
    ("import", "x", "/nowhere", "--column"), ("import", "x", "/nowhere", "--encoding"),
    ("leave-out", "digits"), ("predict",), ("predict", "0"), ("import", "/nowhere"),
)  # fmt: skip
VARIABLES = ("ARCHLAB_ROLE", "ARCHLAB_SLOTS", "ARCHLAB_MEMORY", "ARCHLAB_GPU_MEMORY", "ARCHLAB_IDLE_MINUTES",
             "ARCHLAB_EXECUTOR", "ARCHLAB_RAY_ADDRESS", "ARCHLAB_RAY_GPUS", "MLFLOW_TRACKING_URI",
             "ARCHLAB_ARCHITECTURES")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[None]:
    with using(tmp_path_factory.mktemp("home")) as settings:
        copy_store(new_store, settings)
        get_store()
        yield


@given(st.sampled_from(COMMANDS), st.lists(ARGUMENTS, min_size=1, max_size=2))
@tries(60)
def test_a_command_does_it_or_says_in_a_line_why_not(command: tuple[str, ...], arguments: list[str]) -> None:
    answer = run(*command, *arguments)
    assert answer.returncode in (0, 2)
    if answer.returncode:
        assert answer.stderr.startswith("Error: ")
        assert "integer string conversion" not in answer.stderr


@given(st.sampled_from(VARIABLES), texts.words.filter(lambda text: "\0" not in text and text.isprintable()))
@tries(60)
def test_a_variable_is_taken_or_refused_in_a_sentence(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as patch, suppress(UnicodeEncodeError):
        patch.setenv(name, value)
        try:
            from_environment()
        except SettingsError as error:
            assert name in str(error)
