"""Every page runs clean on an empty store, on one run and on many; none imports TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from core.config import ExperimentConfig
from core.jobs import deletion
from core.system.settings import PROGRAM
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore, get_store
from core.ui.common import stored_runs
from core.ui.compare import tables
from tests.support.homes import Trained, stop_processes, using
from tests.support.pages import PAGES, in_address, opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with sixty runs in every state, some without metrics, one logged by somebody else."""
    folder = tmp_path_factory.mktemp("many") / "home"
    with using(folder) as settings:
        store = get_store()
        ends = (schema.FINISHED, schema.FAILED, schema.KILLED, schema.FINISHED)
        for number in range(60):
            run_id = store.create(ExperimentConfig().with_values({"seed": number}))
            for epoch in range(1, number % 4 + 1):
                values = {"loss": 1 / epoch, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": number / 60}
                values |= {"best_val_accuracy": number / 60, "best_epoch": 1.0}
                store.log_metrics(run_id, values, epoch)
            if ends[number % 4] == schema.FAILED:
                store.fail(run_id, "ValueError: <b>nothing</b> to see")
            else:
                store.set_status(run_id, ends[number % 4])
        store.client.create_run("0", run_name="logged [elsewhere](http://x) **by** hand")
        yield folder
        stop_processes(settings)


@pytest.mark.parametrize("page", PAGES)
def test_page_on_an_empty_store(settings: object, page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert app.title


@pytest.mark.parametrize("page", PAGES)
def test_page_on_one_run(trained: Trained, page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_page_on_many_runs(many: Path, page: str) -> None:
    with using(many):
        app = opened(page)
        assert not app.exception


def test_no_page_imports_tensorflow(trained: Trained) -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.support.pages import PAGES, opened\n"
        "for page in PAGES:\n"
        "    assert not opened(page).exception\n"
        "    print(page, [name for name in ('tensorflow', 'keras', 'jax', 'torch') if name in sys.modules])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True, timeout=200
    )
    assert answer.stdout.splitlines() == [f"{page} []" for page in PAGES], answer.stderr


def test_a_page_starts_no_process_ahead_where_none_is_kept_and_the_worker_where_a_run_waits(
    store: RunStore,
) -> None:
    assert store.settings.spare_minutes == 0
    opened("pages/2_Train.py")
    assert not any((store.settings.home / f"{name}.log").exists() for name in ("worker", "inference"))
    store.create(ExperimentConfig(), {schema.HELD: "true"})
    opened("streamlit_app.py")
    assert (store.settings.home / "worker.log").exists()
    assert not (store.settings.home / "inference.log").exists()


def test_the_quickstart_is_offered_on_an_empty_store(settings: object) -> None:
    assert "Start the quickstart" in [button.label for button in opened("streamlit_app.py").button]


def test_the_quickstart_is_not_offered_beside_runs(trained: Trained) -> None:
    assert "Start the quickstart" not in [button.label for button in opened("streamlit_app.py").button]


def test_the_form_refuses_before_launch_in_words(settings: object) -> None:
    app = opened("pages/2_Train.py")
    app.number_input(key="learning_rate").set_value(-1.0).run()
    assert [error.value.replace("\\", "") for error in app.error] == [
        "optimizer.learning_rate must be greater than 0. Received: -1.0."
    ]
    (launch,) = [button for button in app.button if button.label == "Launch"]
    assert launch.disabled
    app.number_input(key="learning_rate").set_value(0.01).run()
    assert not app.error
    app.multiselect(key="architectures").set_value(["lenet5", "conv9"]).run()
    assert [error.value.replace("\\", "") for error in app.error] == [
        "conv9 needs images of at least 50×50 pixels. Received: 28×28."
    ]


def test_what_was_chosen_stands_in_the_address(settings: object) -> None:
    app = opened("pages/2_Train.py", architectures="conv3", epochs="9")
    assert app.multiselect(key="architectures").value == ["conv3"]
    assert app.number_input(key="epochs").value == 9


def test_every_choice_of_a_run_holds(many: Path) -> None:
    with using(many):
        app = opened("pages/4_Run.py")
        ids = frames.runs(get_store())["run_id"].tolist()
        for run_id in (ids[5], ids[9], ids[2], ids[11]):
            app.selectbox[0].set_value(run_id).run()
            assert app.selectbox[0].value == run_id
            assert in_address(app, "run") == [run_id]


def test_the_run_page_begins_with_the_run_that_trains(store: RunStore) -> None:
    first, second, _ = (store.create(ExperimentConfig(name=name)) for name in "abc")
    store.set_status(first, schema.FINISHED)
    store.set_status(second, schema.RUNNING)
    app = opened("pages/4_Run.py")
    assert app.selectbox(key="choose Run").value == second
    app = opened("pages/4_Run.py", run=first)
    assert app.selectbox(key="choose Run").value == first


def test_compare_says_which_runs_are_drawn_where_it_chooses_them(many: Path) -> None:
    with using(many):
        app = opened("pages/3_Compare.py")
        said = "No run is ticked: the curves are those of the first 8 of 61."
        assert said in [caption.value for caption in app.caption]
        ticked = frames.run_ids(get_store())[0]
        app = opened("pages/3_Compare.py", runs=ticked)
        assert not any("No run is ticked" in caption.value for caption in app.caption)


def test_ticks_stay_with_their_runs(many: Path) -> None:
    with using(many):
        ids = frames.runs(get_store())["run_id"].tolist()
        app = opened("pages/3_Compare.py", runs=ids[7])
        assert in_address(app, "runs") == [ids[7]]
        app.text_input(key="filter").set_value("no such words").run()
        assert in_address(app, "runs") == [ids[7]]
        app.text_input(key="filter").set_value("").run()
        assert in_address(app, "runs") == [ids[7]]
        newest = get_store().create(ExperimentConfig())  # comes in on top: every row moves
        get_store().set_status(newest, schema.KILLED)
        stored_runs.forget_runs()
        app.run()
        assert in_address(app, "runs") == [ids[7]]


def test_the_selected_runs_are_deleted_after_a_question_that_names_them(store: RunStore) -> None:
    runs = {name: store.create(ExperimentConfig().with_values({"name": name})) for name in "abcd"}
    for run_id in runs.values():
        store.set_status(run_id, schema.KILLED)
    app = opened("pages/3_Compare.py", runs=[runs["a"], runs["c"]])
    (button,) = [one for one in app.button if one.label == "Delete them"]
    assert "Delete for good: **c, a**?" in "".join(text.value for text in app.markdown)
    assert len(frames.runs(store)) == 4  # the question alone deletes nothing
    button.click().run()
    assert not app.exception
    assert not app.error
    assert set(frames.runs(store)["name"]) == {"b", "d"}
    assert [one.label for one in app.button if one.label.startswith("Delete")] == []
    assert app.dataframe[0].value["run"].str[0].tolist() == ["d", "b"]


def test_a_run_that_cannot_be_deleted_is_named_and_none_is_deleted(store: RunStore) -> None:
    runs = {name: store.create(ExperimentConfig().with_values({"name": name})) for name in "ab"}
    for run_id in runs.values():
        store.set_status(run_id, schema.KILLED)
    deletion.lock(store, [runs["b"]])
    app = opened("pages/3_Compare.py", runs=list(runs.values()))
    (button,) = [one for one in app.button if one.label == "Delete them"]
    button.click().run()
    (error,) = app.error
    assert "locked" in error.value
    assert set(frames.runs(store)["name"]) == {"a", "b"}


def test_a_run_of_another_program_is_shown_and_not_touched(many: Path) -> None:
    with using(many):
        foreign = next(run.run_id for run in runs_of(frames.runs(get_store())) if not run.is_ours)
        app = opened("pages/4_Run.py", run=foreign)
        assert not app.exception
        assert "Cancel" not in [button.label for button in app.button]
        assert foreign not in opened("pages/5_Predict.py").multiselect[0].options


def test_settings_of_another_program_take_no_column() -> None:
    runs = pd.DataFrame(
        {
            "run_id": ["a", "b"],
            "name": ["ours", "theirs"],
            "status": ["FINISHED", "FINISHED"],
            "started": pd.to_datetime([0, 0], utc=True),
            "last_epoch": [1.0, 1.0],
            "metrics.learning_rate": [0.1, None],
            "params.learning_rate": [None, "0.5"],
            "params.state": [None, "solid"],
        }
    )
    table = tables.runs_table(runs)
    assert table["state"].tolist() == ["finished", "finished"]
    assert table["learning_rate"].iloc[0] == 0.1
    assert table["params.learning_rate"].iloc[1] == "0.5"
    assert table["params.state"].iloc[1] == "solid"


def test_a_top_5_of_two_classes_is_left_empty() -> None:
    runs = pd.DataFrame(
        {
            "run_id": ["a", "b"],
            "name": ["pets", "digits"],
            "status": ["FINISHED", "FINISHED"],
            "started": pd.to_datetime([0, 0], utc=True),
            "last_epoch": [1.0, 1.0],
            "metrics.test_top5_accuracy": [1.0, 1.0],
            "params.data.name": ["pets", "digits"],
        }
    )
    column = tables.runs_table(runs, ["pets"])["test_top5_accuracy"]
    assert column.isna().tolist() == [True, False]


def test_a_run_that_is_not_here_is_said(trained: Trained) -> None:
    app = opened("pages/4_Run.py", run="0" * 32)
    assert "The run of this address is not here" in app.warning[0].value
    assert app.selectbox[0].value == frames.runs(get_store())["run_id"][0]  # the newest
