"""The command line as a person runs it: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.commands.watch import Watch
from core.config import ExperimentConfig
from core.datasets import load, names
from core.jobs.groups import places, repeated
from core.jobs.worker import worker_of
from core.system.settings import PROGRAM, Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from core.training.logged import log_predictions
from core.ui.compare import tables
from tests.support.commands import run, run_process
from tests.support.homes import DIVERGING, SMALL, Trained
from tests.support.own_models import NET
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine


def test_a_shell_gets_what_is_printed_and_how_it_ended(settings: Settings) -> None:
    answer = run_process("list", "recipes", "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "quickstart" in {recipe["name"] for recipe in json.loads(answer.stdout)}
    answer = run_process("describe", "resnet9000")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: Unknown architecture 'resnet9000'. Known: ")


def test_lists_as_json(trained: Trained) -> None:
    names = {row["name"] for row in json.loads(run("list", "architectures", "--json").stdout)}
    assert {"lenet5", "conv3", "resnet_cifar"} <= names
    (digits,) = [
        row for row in json.loads(run("list", "datasets", "--json").stdout) if row["name"] == "digits"
    ]
    assert (digits["shape"], digits["classes"]) == ([28, 28, 1], 10)
    recipes = json.loads(run("list", "recipes", "--json").stdout)
    quickstart = {"name": "quickstart", "runs": 3, "title": "Quickstart", "data": "digits", "published": 0}
    assert quickstart in recipes
    listed = json.loads(run("list", "runs", "--json").stdout)
    assert trained.run_id in [row["run_id"] for row in listed]


def test_status_and_log_of_a_run(trained: Trained) -> None:
    status = json.loads(run("status", trained.run_id[:8], "--json").stdout)
    assert (status["run_id"], status["status"]) == (trained.run_id, "FINISHED")
    assert status["params"]["optimizer.learning_rate"] == "0.001"
    assert status["metrics"]["parameters"] == 44_426
    assert "epoch 2/2" in run("log", trained.run_id, "--follow").stdout


def test_accuracies_are_listed_as_the_pages_show_them(store: RunStore) -> None:
    running = store.create(ExperimentConfig(name="running"))  # goes on after it was tested once
    store.set_status(running, schema.RUNNING)
    store.log_metrics(running, {"best_val_accuracy": 0.5, "test_accuracy": 0.25, "loss": math.inf})
    infinite, percent = (store.client.create_run("0", run_name=name).info.run_id for name in "ip")
    for run_id, accuracy in ((infinite, math.inf), (percent, 64.0)):
        store.log_metrics(run_id, {"best_val_accuracy": accuracy, "test_accuracy": accuracy})
        store.set_status(run_id, schema.FINISHED)

    rows = {row["run_id"]: row for row in json.loads(run("list", "runs", "--json").stdout)}
    accuracies = {run_id: (row["val_accuracy"], row["test_accuracy"]) for run_id, row in rows.items()}
    assert accuracies == {running: (0.5, None), infinite: (None, None), percent: (None, None)}
    remark = "Its test accuracy is 64, not a fraction from 0 to 1. It looks like a percentage."
    assert remark in rows[percent]["remarks"]
    for command in (("list", "runs"), ("status",)):
        cells = {line.split()[0]: line.split()[3:] for line in run(*command).stdout.splitlines()}
        assert cells[running] == ["50.00%", "–"]
        assert cells[infinite] == ["inf", "(not", "a", "fraction)"] * 2
        assert cells[percent] == ["64", "(not", "a", "fraction)"] * 2
    status = run("status", running).stdout
    assert "best_val_accuracy: 50.00%\ntest_accuracy: –\n" in status
    assert status.count("accuracy") == 2  # each once, none of them as a fraction
    assert "0.25" not in status
    assert f"remark: {remark}\n" in run("status", percent).stdout
    one = json.loads(run("status", running, "--json").stdout, parse_constant=pytest.fail)
    assert one["metrics"] == {"best_val_accuracy": 0.5, "loss": None}  # JSON knows no infinity
    (only,) = json.loads(run("list", "runs", "--filter", "state = running", "--json").stdout)
    assert only["run_id"] == running
    assert only["params"].items() >= {"model.name": "lenet5"}.items()
    assert only["tags"][schema.NUMBER] == "1"
    table = tables.runs_table(frames.runs(store)).set_index("run")
    assert table["best_val_accuracy"].dropna().to_dict() == {f"running · {running[:6]}": 0.5}
    assert "test_accuracy" not in table


def test_runs_and_groups_are_compared_in_a_table(store: RunStore) -> None:
    parent = store.create_group("two", 2)
    ids = [
        store.create(ExperimentConfig(name=name, seed=seed), {schema.PARENT: parent})
        for name, seed in (("two · seed 0", 0), ("two · seed 1", 1))
    ]
    ids.append(store.create(ExperimentConfig(name="=other")))
    for run_id, accuracy in zip(ids, (0.5, 0.7, 0.9), strict=True):
        store.log_metrics(run_id, {"test_accuracy": accuracy})
        store.set_status(run_id, schema.FINISHED)
    compared = ("compare", ids[2], parent, "--baseline", ids[2])
    other, group = json.loads(run(*compared, "--format", "json").stdout)
    assert (other["run"], other["test_accuracy"], other["Δ test_accuracy"]) == ("=other", 0.9, 0.0)
    assert (group["run"], group["n"], group["seed"]) == ("two", 2, "2 values")
    assert group["Δ test_accuracy"] == pytest.approx(-0.3)
    assert group["test_accuracy ±"] == pytest.approx(1.27062, abs=1e-5)  # Student's t with one degree
    assert "'=other" in run(*compared, "--format", "csv").stdout
    assert "| two | 2 | finished | 60.00 ± 127.06% | -30.00 points |" in run(*compared).stdout
    no_verdict = run(*compared).stderr.splitlines()
    assert no_verdict[-1] == "No two of them can be compared by their test predictions."
    for run_id, right in ((ids[0], 300), (ids[2], 360)):
        store.log_params(run_id, {schema.FINGERPRINT: "v1"})
        answers = pd.DataFrame({"index": range(400), "label": 0, "p0": 0.0, "p1": 0.4})
        answers.loc[: right - 1, "p0"] = 0.8
        log_predictions(store, run_id, answers)
    better, *_ = run("compare", ids[2], ids[0]).stderr.splitlines()
    assert better.startswith("=other beats two · seed 0: right on 60 images where two · seed 0 is wrong")
    refused = run("compare", ids[0], "--baseline", ids[2])
    assert (refused.returncode, "is not among the runs" in refused.stderr) == (2, True)


def test_predict_names_the_class_of_an_image_file(trained: Trained, tmp_path: Path) -> None:
    dataset = load("digits")
    path = tmp_path / "digit.png"
    Image.fromarray(dataset.images[dataset.indices("test")[0]][..., 0]).save(path)
    (answer,) = json.loads(run("predict", trained.run_id, str(path), "--top", "2", "--json").stdout)
    assert answer["image"] == str(path)
    first, second = answer["predictions"]
    assert first["probability"] >= second["probability"]
    assert first["class"] in "0123456789"
    shown = run("predict", trained.run_id, str(path), "--top", "2").stdout
    assert (
        shown
        == f"{path}: class "
        + ", ".join(f"{one['class']} (probability {one['probability']:.3f})" for one in (first, second))
        + "\n"
    )


def test_images_of_12_bits_are_imported_trained_on_and_predicted(settings: Settings, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def shade(level: int) -> Image.Image:
        return Image.fromarray(np.clip(generator.normal(level, 300, (24, 24)), 0, 4095).astype("uint16"))

    for name, level in (("dark", 600), ("bright", 3200)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(30):
            shade(level).save(tmp_path / "images" / name / f"{number}.png")
    imported = run("import", "shades", str(tmp_path / "images"), "--value-range", "0", "4095")
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.startswith("shades: 2 classes, 24×24×1, ")
    assert "60 images are deeper than 8 bits." in imported.stdout
    assert "as given: 0 became black and 4,095 white." in imported.stdout

    config = tmp_path / "config.yaml"
    config.write_text(
        SMALL.with_values({"data.name": "shades", "training.batch_size": 16, "training.epochs": 8}).to_yaml()
    )
    trained = run("train", str(config), "--foreground", "--set", "optimizer.learning_rate=0.01")
    assert trained.returncode == 0, trained.stderr
    (run_id,) = trained.stdout.split()
    said = trained.stderr.splitlines()
    epochs = [line for line in said if line.startswith(f"{run_id[:8]} · epoch ")]
    assert [line.split(" · ")[1] for line in epochs] == [f"epoch {epoch} of 8" for epoch in range(1, 9)]
    assert all(" · loss " in line and " · val_accuracy " in line for line in epochs)
    assert said[-1] == f"{run_id[:8]} · finished · best_val_accuracy 100.00% · test_accuracy 100.00%"
    state = get_store().run(run_id)
    assert state.info.status == schema.FINISHED
    assert state.data.metrics["test_accuracy"] == 1.0  # the two shades do not overlap

    files = [tmp_path / f"{name}.png" for name in ("dark", "bright", "glaring")]
    for file, image in zip(files, (shade(600), shade(3200), shade(3200).point(lambda v: v * 2)), strict=True):
        image.save(file)
    answers = json.loads(run("predict", run_id, *map(str, files), "--json").stdout)
    assert [answer["predictions"][0]["class"] for answer in answers] == ["dark", "bright", "bright"]
    assert [bool(answer["notes"]) for answer in answers] == [False, False, True]
    assert "lie outside the dataset's value range, 0 to 4,095" in answers[2]["notes"][0]


def test_a_dry_run_of_an_import_shows_the_classes_and_writes_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    for number in range(4):
        folder = tmp_path / "pets" / ("train" if number else "test")
        for name in ("cat", "dog"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number).save(folder / name / f"{number}.png")
    (tmp_path / "pets" / "loose.png").write_bytes(b"x")
    shown = run("import", "pets", str(tmp_path / "pets"), "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "pets: 2 classes, 8 images; nothing was imported",
        "cat: 3 train, 1 test",
        "dog: 3 train, 1 test",
    ]
    assert "not imported: loose.png lies outside" in shown.stderr
    assert "pets" not in names()
    (tmp_path / "empty").mkdir()
    for arguments, sentence in ((("my pets", "pets"), "'my pets'"), (("pets", "empty"), "holds no image")):
        refused = run("import", arguments[0], str(tmp_path / arguments[1]), "--dry-run")
        assert refused.returncode == 2
        assert sentence in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def test_a_failed_run_exits_with_1(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL.with_values(DIVERGING).to_yaml())
    answer = run("train", str(config), "--foreground")
    assert answer.returncode == 1
    (run_id,) = answer.stdout.split()
    assert get_store().state(run_id).status == schema.FAILED
    assert f"{run_id[:8]} · failed · FloatingPointError" in answer.stderr
    assert "reason: FloatingPointError" in run("status", run_id).stdout


def test_whoever_waits_for_runs_is_told_of_each_phase_and_each_epoch_once(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (store.create(ExperimentConfig(name=name)) for name in ("first", "second"))

    def told() -> list[str]:
        assert watch.look()
        return capsys.readouterr().err.splitlines()

    def progress(**said: object) -> None:
        store.set_tags(first, {schema.PROGRESS: json.dumps(said)})

    def epoch(number: int) -> None:
        store.log_metrics(first, {"loss": 1 / number, "val_accuracy": 0.5}, step=number)

    epoch(1)  # of an attempt before
    watch = Watch(store, [first, second])
    assert told() == [f"{first[:8]} · queued · first", f"{second[:8]} · queued · second"]
    assert told() == []
    store.set_status(first, schema.RUNNING)
    assert told() == [f"{first[:8]} · starting"]
    progress(phase="compiling")
    assert told() == [f"{first[:8]} · compiling"]
    progress(phase="training", epoch=2, epochs=4, step=11, steps=40)
    assert told() == [f"{first[:8]} · training"]
    epoch(2)
    progress(phase="training", epoch=3, epochs=4, step=21, steps=40, remaining_s=75.2)
    assert told() == [f"{first[:8]} · epoch 2 of 4 · loss 0.5000 · val_accuracy 0.5000 · 1 min 15 s left"]
    assert told() == []
    epoch(3)
    epoch(4)
    progress(phase="evaluating", epochs=4)
    assert told() == [
        f"{first[:8]} · epoch 3 of 4 · loss 0.3333 · val_accuracy 0.5000",
        f"{first[:8]} · epoch 4 of 4 · loss 0.2500 · val_accuracy 0.5000",
        f"{first[:8]} · evaluating",
    ]
    store.log_metrics(first, {"best_val_accuracy": 0.5, "test_accuracy": 0.25})
    store.set_status(first, schema.FINISHED)
    assert told() == [f"{first[:8]} · finished · best_val_accuracy 50.00% · test_accuracy 25.00%"]
    store.fail(second, "It diverged.")
    assert watch.until_ended() == [schema.FINISHED, schema.FAILED]
    assert capsys.readouterr().err == f"{second[:8]} · failed · It diverged.\n"


def test_what_becomes_of_a_group_is_said_where_it_is_asked_for(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SMALL.with_values({"training.epochs": 100_000}).to_yaml())
    launched = run("train", str(config), "--seeds", "2")
    try:
        run_ids = launched.stdout.split()
        group = get_store().state(run_ids[0]).tags[schema.PARENT]
        assert launched.stderr.startswith(f"Group {group} of 2 runs of 'lenet5 on digits': ")
        assert f"`status {group[:8]}`" in launched.stderr
    finally:
        assert run("cancel", *run_ids).returncode == 0
    wait_for(lambda: not any(get_store().state(one).active for one in run_ids))
    names = [f"'lenet5 on digits · seed {seed}' ({run_ids[seed][:8]})" for seed in (0, 1)]
    answer = run("lock", *run_ids)
    assert answer.stdout.splitlines() == [f"{name} is locked: it cannot be deleted." for name in names]
    answer = run("unlock", run_ids[0])
    assert answer.stdout == f"{names[0]} is not locked any more: it can be deleted.\n"
    worker_of(settings).stop()
    wait_for(lambda: not worker_of(settings).is_running())
    settings.checkpoint(run_ids[1]).unlink(missing_ok=True)
    answer = run("resume", run_ids[1])
    run("cancel", run_ids[1])
    assert answer.stdout == f"{names[1]} is in the queue again; it has no checkpoint here and starts again.\n"


def test_the_accuracies_of_a_group_are_per_cent_where_people_read_them(store: RunStore) -> None:
    group = repeated(ExperimentConfig(name="mine"), seeds=2)
    for config, place, accuracy in zip(group.configs, places(store, group), (0.5, 0.6), strict=True):
        run_id = store.create(config, place)
        store.log_metrics(run_id, {"best_val_accuracy": accuracy, "test_accuracy": accuracy})
        store.set_status(run_id, schema.FINISHED)
    for command in (("list", "groups"), ("status", place[schema.PARENT])):
        heads, cells = (line.split() for line in run(*command).stdout.splitlines())
        row = dict(zip(heads, cells, strict=True))
        assert (row["val_accuracy"], row["val_accuracy_std"], row["test_accuracy"]) == (
            *("55.00%", "7.07%"),
            "55.00%",
        )
    (row,) = json.loads(run("list", "groups", "--json").stdout)
    assert row["test_accuracy"] == 0.55


def test_describe_says_that_the_prediction_process_may_not_know_a_model_of_ones_own(
    trained: Trained, tmp_path: Path
) -> None:
    assert run("describe", "lenet5").returncode == 0  # it runs, without the folder
    (tmp_path / "mine.py").write_text(NET.replace("NAME", "mine"))
    for more in ((), ("--set", "model.freeze=all")):
        answer = run("describe", "mine", *more, ARCHLAB_ARCHITECTURES=str(tmp_path))
        assert answer.returncode == 2
        assert "started with another ARCHLAB_ARCHITECTURES: end it with" in answer.stderr
        assert len(answer.stderr.splitlines()) == 1
    assert "ARCHLAB_ARCHITECTURES" not in run("describe", "nothing").stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "{tmp}/unknown.yaml"), "Unknown architecture 'resnet9000'. Known: "),
        (("train", "{tmp}/negative.yaml"), "optimizer.learning_rate must be greater than 0. Received: -1."),
        (("train", "{tmp}/missing.yaml"), "cannot be read: No such file or directory."),
        (("train",), "Give either a config file or --recipe."),
        (("train", "--recipe", "nope"), "Unknown recipe 'nope'. Known: augmentation-study, "),
        (("import", "x", "{tmp}/empty"), "empty"),
        (("import", "x", "{tmp}/one"), "class"),
        (("import", "../x", "{tmp}/one"), "name"),
        (("predict", "nope", "{tmp}/negative.yaml"), "No run has the id 'nope'."),
        (("status", "nope"), "No run has the id 'nope'."),
        (("cancel", "nope"), "No run has the id 'nope'."),
        (("list", "nonsense"), "'nonsense' is not one of 'architectures', 'datasets'"),
        (("describe", "lenet5", "--set", "batch_size=3"), "lenet5 has no option 'batch_size'."),
        (("describe", "lenet5", "--input", "32"), "An input shape is written HxWxC, as 32x32x3."),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_2(
    trained: Trained, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "unknown.yaml").write_text("model: {name: resnet9000}")
    (tmp_path / "negative.yaml").write_text("optimizer: {learning_rate: -1}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "cats").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "one" / "cats" / "a.png")
    before = frames.run_ids(get_store())
    answer = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert answer.returncode == 2, answer.stdout
    assert sentence in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert frames.run_ids(get_store()) == before
    assert {path.name for path in trained.settings.datasets.iterdir()} <= {"digits", ".lock"}


def test_doctor_says_what_it_stands_on(trained: Trained) -> None:
    answer = run("doctor", "--json")
    findings = {row["check"]: row["result"] for row in json.loads(answer.stdout)}
    assert findings["packages"] == "as pinned"
    assert findings["store"].endswith(f"{len(frames.run_ids(get_store()))} runs")
    assert answer.returncode == 0


def test_a_server_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    answer = run(
        *("list", "runs"),
        ARCHLAB_HOME=str(tmp_path / "home"),
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: The tracking store http://127.0.0.1:9 cannot be used: ")
    assert len(answer.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = run("train", "--recipe", "quickstart", ARCHLAB_HOME=str(tmp_path / "file" / "home"))
    assert answer.returncode == 2
    assert answer.stderr == f"Error: The folder {tmp_path}/file/home cannot be created: Not a directory.\n"


@pytest.fixture
def marbles(settings: Settings, tmp_path: Path) -> Path:
    """Four training and two test images a class; one test image is a training image."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2)):
        for label in "ab":
            for number in range(count):
                path = tmp_path / "marbles" / part / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(generator.integers(0, 256, (16, 16), dtype=np.uint8)).save(path)
    root = tmp_path / "marbles"
    (root / "test/a/copy.png").write_bytes((root / "train/a/1.png").read_bytes())
    assert run("import", "marbles", str(root)).returncode == 0
    return root


def test_the_commands_load_no_datasets_before_one_is_run() -> None:
    code = (
        "import sys, core.commands\n"
        "print([name for name in ('numpy', 'PIL', 'core.datasets') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True, timeout=240
    )
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def test_findings_are_listed_and_single_changes_are_made_and_undone(marbles: Path) -> None:
    found = json.loads(run("findings", "marbles", "--json").stdout)
    assert found[0]["images"] == ["train/a/1.png", "test/a/copy.png"]
    assert found[0]["serious"]
    lines = run("findings", "marbles").stdout.splitlines()
    assert lines[0].startswith("serious: ")
    assert lines[1] == "  train/a/1.png, test/a/copy.png"
    answer = run("leave-out", "marbles", "train/a/1.png", "train/b/0.png")
    assert answer.stdout == "2 left out; marbles has 11 images.\n"
    assert "serious" not in run("findings", "marbles", "--near").stdout
    assert json.loads(run("changes", "marbles", "--json").stdout) == [
        {"image": "train/a/1.png", "change": "left out"},
        {"image": "train/b/0.png", "change": "left out"},
    ]
    assert run("take-back", "marbles", "train/b/0.png").stdout == "1 taken back; marbles has 12 images.\n"
    assert [one["image"] for one in json.loads(run("changes", "marbles", "--json").stdout)] == [
        "train/a/1.png"
    ]
    answer = run("take-back", "marbles", "train/b/0.png")
    assert answer.returncode == 2
    assert answer.stderr == "Error: 'train/b/0.png' of 'marbles' has no changes.\n"
    answer = run("leave-out", "marbles", "elsewhere.png")
    assert answer.stderr == "Error: 'marbles' has no image with the name 'elsewhere.png'.\n"
    assert run("take-back", "marbles", "--all").stdout.startswith("All changes were undone")
    assert len(load("marbles").indices()) == 13


def test_a_launch_warns_of_what_weakens_its_result(marbles: Path, tmp_path: Path) -> None:
    (marbles / "train/b/again.png").write_bytes((marbles / "train/b/0.png").read_bytes())
    assert run("import", "twins", str(marbles)).returncode == 0
    config = tmp_path / "config.yaml"
    config.write_text("data: {name: twins, validation_fraction: 0}\ntraining: {batch_size: 999}\n")
    answer = run("train", str(config))
    assert answer.returncode == 2
    note, first, second = answer.stderr.splitlines()
    assert note == (
        "Note: 1 of 9 training image is a copy of others: what occurs several times counts several times."
    )
    assert first == (
        "Warning: 1 of 5 test images is identical to training images, so the test accuracy is too high. "
        "The Data page can put copies in one set."
    )
    assert second.startswith("Error: training.batch_size must be at most the number of training images, 9 in")
