"""Files in a folder of one's own register models like a family file; a broken one harms no other."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from core.architectures import architectures, build_model
from core.inference.client import describe
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.plugin_files import load_helpers
from core.system.settings import PROGRAM, Settings
from core.tracking import schema
from core.tracking.store import get_store
from tests.support.homes import SMALL
from tests.support.own_models import NET
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine

LAYER = """
import keras


@keras.saving.register_keras_serializable(package="mine")
class Doubling(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


@pytest.fixture
def folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one model that uses a layer of its own, named by the setting."""
    own = tmp_path / "nets"
    own.mkdir()
    (own / "tiny.py").write_text(NET.replace("NAME", "tiny"))
    (own / "_doubling.py").write_text(LAYER)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(own))
    settings_module.get_settings.cache_clear()
    yield own
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()
    assert "tiny" not in architectures  # with the setting its models go


def test_a_file_is_found_and_told_from_those_of_the_program(folder: Path) -> None:
    assert architectures.get("tiny").family == "Mine"
    assert architectures.origin("tiny") == folder / "tiny.py"
    assert architectures.origin("lenet5") is None
    assert architectures.problems() == {}


def test_a_new_or_changed_or_removed_file_counts_at_once(folder: Path) -> None:
    assert "other" not in architectures
    (folder / "other.py").write_text(NET.replace("NAME", "other"))
    assert "other" in architectures
    (folder / "other.py").write_text(NET.replace("NAME", "another"))
    assert "other" not in architectures
    assert "another" in architectures
    (folder / "other.py").unlink()
    assert "another" not in architectures
    assert list(folder.glob("**/*.pyc")) == []  # reading a folder leaves nothing in it


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def net(:", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit", "SystemExit: "),
        (NET.replace("NAME", "lenet5"), "ValueError: The architecture 'lenet5' is registered twice."),
        (NET.replace("NAME", "half") + "\nnothing", "NameError: name 'nothing' is not defined"),
        ("import os\nfrom keras import layers", "ImportError: line 2 imports keras, which listing models"),
        (
            NET.replace("NAME", "half").replace("min_size=3", "min_size=30"),
            "ValueError: half needs images of at least 30×30 pixels. Received: 28×28.",
        ),
        ("import tensorflow as tf", "ImportError: line 1 imports tensorflow, which listing models must not"),
    ],
)
def test_a_broken_file_is_told_and_harms_no_other(folder: Path, text: str, reason: str) -> None:
    (folder / "broken.py").write_text(text)
    assert {"tiny", "lenet5"} <= set(architectures.names())
    assert "half" not in architectures
    ((file, told),) = architectures.problems().items()
    assert file == "broken.py"
    assert told.startswith(reason)
    (folder / "broken.py").unlink()
    assert architectures.problems() == {}


def test_a_folder_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(folder / "nothing"))
    settings_module.get_settings.cache_clear()
    assert architectures.problems() == {str(folder / "nothing"): "is not a folder"}


def test_the_command_line_lists_it_and_says_what_is_broken(folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0")
    answer = subprocess.run(
        [sys.executable, "-m", "core", "list", "architectures", "--json"],
        cwd=PROGRAM,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "tiny" in {row["name"] for row in json.loads(answer.stdout)}
    assert answer.stderr == "broken.py: ZeroDivisionError: division by zero\n"


def test_it_is_described_trained_and_asked_by_the_other_processes(folder: Path) -> None:
    """The prediction process builds it, the worker trains it, its saved model loads with its own layer."""
    from core.datasets import load
    from core.inference.client import predict
    from tests.support.images import png

    settings = settings_module.get_settings()
    facts = describe(settings, "tiny", None, None, {})
    assert [layer.type for layer in facts.layers] == ["Conv2D", "Doubling", "Flatten", "Dense"]
    (run_id,) = launch([SMALL.with_values({"model.name": "tiny", "training.epochs": 1})])
    wait_for(lambda: not get_store().state(run_id).active)
    assert get_store().state(run_id).status == schema.FINISHED
    (answer,) = predict(settings, run_id, [png(load("digits").images[0])], top_k=10)
    assert abs(sum(answer.probabilities) - 1) < 1e-5


@pytest.fixture
def helper(tmp_path: Path) -> Callable[[str], int]:
    """`helper(text)`: write a helper, load all, and ask another one for the `VALUE` that it took from there.

    All writes have the same second and, with texts as long as each other, the same size.
    """
    (tmp_path / "_asking.py").write_text("from ._changing import VALUE")
    times = count(10**18)  # the first of them: in nanoseconds, a whole second

    def write(text: str) -> int:
        (tmp_path / "_changing.py").write_text(text)
        os.utime(tmp_path / "_changing.py", ns=(10**18, next(times)))
        load_helpers(tmp_path)
        assert not (tmp_path / "__pycache__").exists()
        return importlib.import_module("own_architectures._asking").VALUE

    return write


def test_a_changed_helper_is_run_anew_and_so_are_those_that_import_it(helper: Callable[[str], int]) -> None:
    assert helper("VALUE = 1") == 1
    assert helper("VALUE = 2") == 2
    assert helper("VALUE = 1 + 2") == 3


def test_a_helper_that_breaks_or_goes_is_not_there_any_more(
    helper: Callable[[str], int], tmp_path: Path
) -> None:
    assert helper("VALUE = 1") == 1
    with pytest.raises(SyntaxError):
        helper("VALUE = (")
    with pytest.raises(ZeroDivisionError):
        helper("VALUE = 1 / 0")
    assert helper("VALUE = 4") == 4
    (tmp_path / "_changing.py").unlink()
    load_helpers(tmp_path)
    assert not {"own_architectures._asking", "own_architectures._changing"} & set(sys.modules)


def test_with_a_helper_its_models_change(folder: Path) -> None:
    (folder / "_base.py").write_text("NAME = 'first'")
    (folder / "named.py").write_text("from ._base import NAME\n" + NET.replace('"NAME"', "NAME"))
    assert "first" in architectures
    (folder / "_base.py").write_text("NAME = 'second'")
    assert {"second", "tiny"} <= set(architectures.names())
    assert "first" not in architectures
    (folder / "_base.py").write_text("NAME = (")
    assert "second" not in architectures
    assert architectures.problems() == {"named.py": "SyntaxError: '(' was never closed (_base.py, line 1)"}


def test_a_layer_of_a_helper_that_is_run_again_can_be_saved_and_loaded(folder: Path) -> None:
    import keras

    for factor in (2, 3):
        (folder / "_doubling.py").write_text(LAYER.replace("2", str(factor)))
        build_model("tiny").save(folder / "tiny.keras")
        layer = keras.saving.load_model(folder / "tiny.keras").layers[2]
        assert float(layer(keras.ops.ones(()))) == factor


def test_a_model_says_that_its_helper_broke(folder: Path) -> None:
    build_model("tiny")
    (folder / "_doubling.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        build_model("tiny")
