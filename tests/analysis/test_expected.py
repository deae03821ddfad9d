"""When runs will start and end, told by like runs."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from core.analysis.expected import Expected, ResourceRequest, SpeedModel, forecast_queue, remaining
from core.tracking import schema
from core.tracking.run import Run
from tests.support.runs import as_run

START = pd.Timestamp("2026-01-01 12:00", tz="UTC")


def run(status: str, **changes: object) -> Run:
    row = {
        "run_id": status,
        "status": status,
        "ended": START + pd.Timedelta(seconds=30),
        "last_epoch": math.nan if status == schema.SCHEDULED else 10.0,
        "params.model.name": "lenet5",
        "params.data.name": "digits",
        "params.training.batch_size": "64",
        "params.model.resize": "0",
        "params.model.freeze": "none",
        "params.training.epochs": "10",
        "params.training.steps": "0",
        "metrics.train_seconds": 20.0,
        f"tags.{schema.STARTED}": f"{START.timestamp() * 1000:.0f}",
        **changes,
    }
    return as_run(row)


def test_like_runs_tell_by_epoch_and_what_they_take_besides() -> None:
    """10 seconds whatever the length, 2 an epoch."""
    experience = SpeedModel([run(schema.FINISHED)])
    wanted = run(schema.SCHEDULED, **{"params.training.epochs": "30"})
    assert experience.seconds(wanted) == pytest.approx(70)
    other_batch = run(schema.SCHEDULED, **{"params.training.batch_size": "32"})
    assert experience.seconds(other_batch) == pytest.approx(30)  # less alike, but the only ones


def test_several_like_runs_tell_by_their_medians() -> None:
    """Fixed seconds of 10, 0 and 50 beside 1, 2 and 9 an epoch: one slow run counts little."""
    took = [(10.0, 10.0), (20.0, 0.0), (90.0, 50.0)]  # seconds of training, and besides
    runs = [
        run(
            schema.FINISHED,
            ended=START + pd.Timedelta(seconds=trained + besides),
            **{"metrics.train_seconds": trained},
        )
        for trained, besides in took
    ]
    wanted = run(schema.SCHEDULED, **{"params.training.epochs": "30"})
    assert SpeedModel(runs).seconds(wanted) == pytest.approx(10 + 30 * 2)


def test_nobody_guesses() -> None:
    experience = SpeedModel([run(schema.FINISHED), run(schema.FAILED)])
    assert experience.seconds(run(schema.SCHEDULED, **{"params.model.name": "vgg11"})) is None
    assert experience.seconds(run(schema.SCHEDULED, **{"params.training.steps": "9"})) is None
    assert SpeedModel([]).seconds(run(schema.SCHEDULED)) is None


def test_a_run_that_trains_says_itself_what_is_left() -> None:
    experience = SpeedModel([run(schema.FINISHED)])
    told = {f"tags.{schema.PROGRESS}": json.dumps({"phase": "training", "remaining_s": 7.5})}
    now = START.timestamp() + 12
    assert remaining(run(schema.RUNNING, **told), experience, now) == 7.5
    assert remaining(run(schema.RUNNING), experience, now) == pytest.approx(18)
    unknown = run(schema.RUNNING, **{"params.model.name": "vgg11"})
    assert remaining(unknown, experience, now) is None


def test_each_takes_the_slot_that_is_free_first() -> None:
    waiting = [ResourceRequest(10.0), ResourceRequest(1.0), ResourceRequest(None), ResourceRequest(2.0)]
    assert forecast_queue([(5.0, ["0"])], waiting, ["0", "1"]) == [
        Expected(0.0, 10.0),
        Expected(5.0, 6.0),
        Expected(6.0, None),
        Expected(10.0, 12.0),
    ]
    assert forecast_queue([(None, ["cpu"])], [ResourceRequest(1.0)], ["cpu"]) == [Expected(None, None)]


def test_some_wait_for_a_device_of_their_choice_or_for_several() -> None:
    waiting = [
        ResourceRequest(1.0, fits=lambda device: device == "0", passable=True),
        ResourceRequest(1.0),
        ResourceRequest(3.0, devices=2),
        ResourceRequest(1.0, devices=3),
    ]
    assert forecast_queue([(5.0, ["0"])], waiting, ["0", "1"]) == [
        Expected(5.0, 6.0),
        Expected(0.0, 1.0),
        Expected(6.0, 9.0),
        Expected(None, None),  # there are only two
    ]


def test_nobody_passes_a_run_that_waits_for_one_device_unless_it_allows_it() -> None:
    only_first = ResourceRequest(1.0, fits=lambda device: device == "0")
    assert forecast_queue([(5.0, ["0"])], [only_first, ResourceRequest(1.0)], ["0", "1"]) == [
        Expected(5.0, 6.0),
        Expected(5.0, 6.0),
    ]


def test_a_run_on_a_device_that_has_no_slot_any_more_takes_none() -> None:
    assert forecast_queue([(5.0, ["7"])], [ResourceRequest(1.0)], ["0"]) == [Expected(0.0, 1.0)]


def test_nobody_passes_a_run_that_waits_for_several_devices() -> None:
    """Else it would never find them free together."""
    assert forecast_queue(
        [(5.0, ["0"])], [ResourceRequest(2.0, devices=2), ResourceRequest(1.0)], ["0", "1"]
    ) == [
        Expected(5.0, 7.0),
        Expected(7.0, 8.0),
    ]
    assert forecast_queue(
        [(None, ["0"])], [ResourceRequest(2.0, devices=2), ResourceRequest(1.0)], ["0", "1"]
    ) == [
        Expected(None, None),
        Expected(None, None),
    ]


def test_a_run_for_the_cpu_starts_while_others_wait_for_a_gpu() -> None:
    waiting = [
        ResourceRequest(2.0, fits=lambda device: device == "0"),
        ResourceRequest(1.0, fits=lambda device: device == "cpu", passes=True),
    ]
    assert forecast_queue([(5.0, ["0"])], waiting, ["0", "cpu"]) == [Expected(5.0, 7.0), Expected(0.0, 1.0)]


def test_one_that_trains_tells_how_long_its_likes_take() -> None:
    """40 of 100 steps are done, and the other 60 take 12 seconds: 2 an epoch."""
    told = json.dumps({"phase": "training", "step": 40, "steps": 100, "remaining_s": 12.0})
    speeds = SpeedModel([run(schema.RUNNING, **{f"tags.{schema.PROGRESS}": told})])
    longer = {"params.training.epochs": "30"}
    assert speeds.seconds(run(schema.SCHEDULED, **longer)) == pytest.approx(60)
    assert speeds.seconds(run(schema.SCHEDULED, **longer, **{"params.training.batch_size": "32"})) is None


def test_what_lies_behind_a_run_that_goes_on_is_not_waited_for_again() -> None:
    resumed = run(schema.SCHEDULED, run_id="b", last_epoch=4.0)
    extended = run(
        schema.SCHEDULED, run_id="c", last_epoch=math.nan,
        **{"params.training.epochs": "13", f"tags.{schema.EXTENDS}": "a"},
    )  # fmt: skip
    experience = SpeedModel([run(schema.FINISHED, run_id="a"), resumed, extended])
    assert experience.seconds(resumed) == pytest.approx(10 + 6 * 2)
    assert experience.seconds(extended) == pytest.approx(10 + 3 * 2)


def test_a_cpu_tells_nothing_of_a_gpu() -> None:
    on_cpu = run(schema.FINISHED, **{f"tags.{schema.DEVICE}": "cpu"})
    speeds = SpeedModel([on_cpu], lambda run: run.device or run.params["training.device"])
    for device, seconds in (("cpu", pytest.approx(30)), ("gpu", None)):
        assert speeds.seconds(run(schema.SCHEDULED, **{"params.training.device": device})) == seconds


def test_a_few_steps_tell_where_no_like_run_has_finished() -> None:
    def waits(run_id: str, model: str, **tags: str) -> Run:
        return run(schema.SCHEDULED, run_id=run_id, **{"params.model.name": model}, **tags)

    pace = json.dumps({"fixed": 4.0, "per_unit": 0.5})
    measured = waits("b", "vgg11", **{f"tags.{schema.PACE}": pace})
    others = [waits(*both) for both in zip("cdef", ("vgg11", "mlp", "mlp", "lenet5"), strict=True)]
    speeds = SpeedModel([run(schema.FINISHED), measured, *others])
    assert speeds.seconds(others[0]) == pytest.approx(9)  # ten epochs
    assert speeds.seconds(others[1]) is None
    assert speeds.unknown([measured, *others]) == ["d"]  # one of each kind
    assert speeds.seconds(others[3]) == pytest.approx(30)  # what has finished counts more


def test_options_of_the_model_decide_how_alike_runs_are() -> None:
    deep = {"params.model.options.depth": "56"}
    speeds = SpeedModel([run(schema.RUNNING, **deep, **{f"tags.{schema.PROGRESS}": json.dumps(
        {"phase": "training", "step": 50, "steps": 100, "remaining_s": 10.0})})])  # fmt: skip
    assert speeds.seconds(run(schema.SCHEDULED, **deep)) == pytest.approx(20)
    assert speeds.seconds(run(schema.SCHEDULED)) is None


def test_runs_of_older_versions_without_a_setting_are_alike() -> None:
    older = {"params.model.freeze": None, "metrics.train_seconds": 40.0}
    speeds = SpeedModel([run(schema.FINISHED, **older), run(schema.FINISHED)])
    assert speeds.seconds(run(schema.SCHEDULED, **older)) == pytest.approx(40)
    assert speeds.seconds(run(schema.SCHEDULED)) == pytest.approx(30)
