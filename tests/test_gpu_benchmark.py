"""The GPU benchmark: its parts run apart, within their limits, and every one leaves rows and a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.gpu_parts import data, ways
from benchmarks.gpu_runs import speed_config
from benchmarks.gpu_scale import CIFAR, LARGE, REHEARSAL, Scale
from core import datasets, recipes
from core.config import ExperimentConfig
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.progress import report
from core.tracking.store import get_store

pytestmark = pytest.mark.slow


def test_a_part_that_fails_is_a_row_and_the_next_one_runs(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The archive of images does not exist."""
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "none.tar.xz"))
    out = tmp_path / "gpu.json"
    monkeypatch.setattr(gpu, "PARTS", {name: gpu.PARTS[name] for name in ("data", "machine")})
    assert gpu.run_parts(["machine"], rehearse=True, out=out, end=gpu.time.monotonic() + 600)
    found = json.loads(out.read_text())
    assert [(row["part"], row["ok"]) for row in found["rows"]][:2] == [("data", False), ("machine", None)]
    assert found["rehearsal"] is True
    assert "none.tar.xz" in found["rows"][0]["value"]
    seen = next(row for row in found["rows"] if row["what"] == "tensorflow sees")
    assert seen["ok"] is True
    assert f"| machine | tensorflow sees | {seen['value']} | ok |" in capsys.readouterr().out


def test_a_part_ends_at_its_limit_and_keeps_what_it_found(settings: Settings) -> None:
    *_, last = gpu.run_part("machine", rehearse=True, limit_s=0.01)
    assert (last.what, last.ok) == ("ended", False)


def test_parts_without_time_are_named(settings: Settings, tmp_path: Path) -> None:
    assert gpu.run_parts(["fast"], rehearse=False, out=tmp_path / "gpu.json", end=gpu.time.monotonic())
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert [(row["part"], row["value"]) for row in rows] == [
        ("data", "no time was left"),
        ("fast", "no time was left"),
    ]


def test_the_data_part_makes_both_datasets(settings: Settings) -> None:
    rows = list(data(REHEARSAL, rehearse=True))
    assert [row.ok for row in rows] == [None, None]
    assert datasets.info(CIFAR).counts["test"] == (5,) * 7 + (6,) * 3
    assert datasets.info(LARGE).shape == (64, 64, 3)


@pytest.mark.parametrize("scale", [Scale(), REHEARSAL])
def test_every_training_of_the_benchmark_is_a_config(scale: Scale) -> None:
    configs = [speed_config(model, scale) for model in scale.models]
    for config in configs:
        for _, changes in ways(scale):
            assert config.with_values(changes).training.batch_size in (scale.batch, scale.large_batch)
    (recipe,) = recipes.get("cifar10-fast").configs
    assert recipe.with_values(scale.recipe).model.name == "fast_cifar"


def test_a_part_that_ends_says_what_its_run_was_doing(settings: Settings) -> None:
    assert gpu.phases() == ""
    store = get_store()
    waiting = store.create(ExperimentConfig())
    assert gpu.phases() == "; its run: SCHEDULED, no log"
    store.set_tags(waiting, {schema.STARTED: "1000"})
    report(settings, waiting, {"phase": "compiling"})
    assert gpu.phases() == "; its run: compiling, no log"
