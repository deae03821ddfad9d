"""Figures hold the data that was collected, and no data gives empty axes."""

import math

import numpy as np
import pandas as pd
import pytest

from core.analysis.curves import Curve
from core.analysis.entries import Entry
from core.analysis.evidence import Measured
from core.analysis.settings_tried import Tried
from core.figures import (
    accuracy_cost,
    class_counts,
    confusion,
    curve_lines,
    image_sizes,
    importance,
    learning_curves,
    light,
    parallel,
    setting_heat,
    system_use,
)
from core.figures.curve_lines import Line, Lines, Look
from core.figures.style import PALETTE, foreign_style, group_style, run_style
from tests.support.runs import as_run, run

HISTORY = pd.DataFrame(
    {
        "run_id": ["a", "a", "b", "a"],
        "metric": ["loss", "loss", "loss", "val_loss"],
        "step": [2, 1, 1, 1],
        "value": [0.5, 1.0, 2.0, 3.0],
    }
)


A, B, C = (Entry(key, name, (key,)) for key, name in (("a", "first"), ("b", "second"), ("c", "none")))


def test_curves_are_collected_in_order_of_entries_and_epochs() -> None:
    assert curve_lines.collect(HISTORY, [B, A, C], "loss") == Lines(
        (Line("b", "second", Curve((1.0,), (2.0,))), Line("a", "first", Curve((1.0, 2.0), (1.0, 0.5)))),
        missing=("none",),
    )


def test_a_group_is_its_mean_with_a_band_and_the_thirty_first_line_is_in_the_rest() -> None:
    group = Entry("g", "both", ("a", "b"))
    lines = curve_lines.collect(HISTORY, [group, *[A] * 30], "loss")
    assert (len(lines.lines), lines.rest_of, lines.rest) == (
        30,
        1,
        Curve((1.0, 2.0), (1.0, 0.5), (1.0, 0.5), (1.0, 0.5), (1, 1)),
    )
    curve = lines.lines[0].curve
    assert (curve.x, curve.y, curve.runs) == ((1.0,), (1.5,), (2,))
    figure = learning_curves.draw(lines, {"g": group_style("g"), "a": run_style("a", "1")}, "loss")
    rest, band, mean = figure.data[0], figure.data[1], figure.data[2]
    assert rest.name == "1 more, lowest to highest"
    assert (band.fill, band.showlegend, band.legendgroup) == ("toself", False, "g")
    assert (mean.name, mean.line.color) == ("both (mean of 2)", group_style("g").color)


def test_accuracies_are_in_percent_and_their_axis_fits_them() -> None:
    lines = Lines((Line("a", "first", Curve((1.0, 2.0), (0.90, 0.94))),))
    axis = learning_curves.draw(lines, {"a": run_style("a", "1")}, "val_accuracy").layout.yaxis
    assert axis.tickformat.endswith("%")
    assert axis.range == pytest.approx([0.898, 0.942])


def test_the_accuracy_of_one_run_is_in_percent_and_its_loss_is_not() -> None:
    history = HISTORY.assign(metric="accuracy")
    (accuracy,) = learning_curves.draw_run(history, run_style("a", "1"), "accuracy").select_yaxes()
    assert accuracy.tickformat.endswith("%")
    (loss,) = learning_curves.draw_run(history, run_style("a", "1"), "loss").select_yaxes()
    assert loss.tickformat is None


def test_a_diverged_run_does_not_press_the_others_to_the_bottom() -> None:
    curves = ((1.0, 0.8, 0.7), (0.9, 0.6, 0.5), (2.0, 1e9, math.inf))
    lines = Lines(tuple(Line("a", "x", Curve((1.0, 2.0, 3.0), values)) for values in curves))
    styles = {"a": run_style("a", "1")}
    assert learning_curves.outliers_cut(lines, "val_loss") == pytest.approx(2.1)
    assert learning_curves.draw(lines, styles, "val_loss").layout.yaxis.range == pytest.approx([0, 2.1])
    assert learning_curves.draw(lines, styles, "val_loss", Look(log_y=True)).layout.yaxis.range is None


def test_a_run_keeps_its_colour_in_every_plot() -> None:
    lines = curve_lines.collect(HISTORY, [A, B], "loss")
    styles = {"a": run_style("a", "1"), "b": run_style("b", "2")}
    figure = learning_curves.draw(lines, styles, "loss")
    assert [trace.line.color for trace in figure.data] == [PALETTE[0], PALETTE[1]]
    assert (
        learning_curves.draw_run(HISTORY[HISTORY["run_id"] == "a"], styles["a"], "loss").data[0].line.color
        == (PALETTE[0])
    )


def test_thirty_two_runs_in_a_row_look_different() -> None:
    assert len({run_style("x", str(number)) for number in range(1, 33)}) == 32


def test_a_run_logged_elsewhere_has_a_colour_too() -> None:
    assert run_style("abc", float("nan")) == run_style("abc", None)


def test_a_run_logged_elsewhere_never_looks_like_one_of_ours() -> None:
    ours = {run_style("x", str(number)) for number in range(1, 33)}
    theirs = {foreign_style(place) for place in range(16)}
    assert len(theirs) == 16
    assert not ours & theirs
    assert run_style("abc", "best") in theirs


def test_no_data_gives_empty_axes_with_names() -> None:
    figure = learning_curves.draw(Lines(()), {}, "val_accuracy")
    assert len(figure.data) == 0
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == (
        "epoch",
        "validation accuracy",
    )


def test_confusion_shows_counts_and_shares_of_the_true_class() -> None:
    figure = confusion.draw(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    assert figure.data[0].z.tolist() == [[0.75, 0.25], [0.0, 0.0]]
    counts, on_dark = figure.data[1:]
    assert [*zip(counts.y, counts.x, counts.text, strict=True)] == [("cat", "cat", "3"), ("cat", "dog", "1")]
    assert counts.textfont.color is None, "the colour of the page's text, which is light on a dark page"
    assert not on_dark.text


def test_counts_on_dark_cells_are_white() -> None:
    on_dark = confusion.draw(np.array([[9, 0], [1, 1]]), ["cat", "dog"]).data[2]
    assert (on_dark.text, on_dark.textfont.color) == (("9",), "white")


def test_names_are_text_and_never_html() -> None:
    name = "<a href='https://example.com'>x</a>"
    lines = Lines((Line("a", name, Curve((1.0,), (1.0,))),))
    drawn = learning_curves.draw(lines, {"a": run_style("a", "1")}, "loss")
    matrix = confusion.draw(np.eye(2, dtype=int), [name, "b"])
    bars = class_counts.draw([name], {"train": (1,)})
    for text in (drawn.data[0].name, matrix.data[0].x[0], bars.data[0].x[0]):
        assert text == "&lt;a href='https://example.com'&gt;x&lt;/a&gt;"


def test_bars_of_classes() -> None:
    counts = class_counts.draw(["cat", "dog"], {"train": (3, 1), "validation": (0, 0), "test": (1, 1)})
    assert [(bar.name, bar.y) for bar in counts.data] == [("train", (3, 1)), ("test", (1, 1))]


def test_sizes_and_light_hold_what_was_counted() -> None:
    sizes = image_sizes.draw([(20, 10, 5), (8, 8, 1)])
    assert (sizes.data[0].y, sizes.data[0].x) == ((20, 8), (10, 8))
    histograms = light.draw(np.array([0.0, 255.0, 100.0]), np.array([3.0, 3.0, 3.0]))
    assert [sum(trace.y) for trace in histograms.data] == [3, 3]
    assert len(image_sizes.draw([]).data[0].x) == 0


def test_use_of_the_machine_is_drawn_over_minutes() -> None:
    began = pd.Timestamp("2026-01-01", tz="UTC")
    rows = [
        ("r", "system/cpu_utilization_percentage", 0, 50.0, began),
        ("r", "system/cpu_utilization_percentage", 1, 75.0, began + pd.Timedelta(seconds=90)),
        ("r", "system/gpu_0_utilization_percentage", 1, 99.0, began + pd.Timedelta(seconds=60)),
        ("r", "system/disk_usage_megabytes", 0, 1e6, began),
    ]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "step", "value", "time"])
    uses = system_use.collect(history)
    assert uses == [system_use.Use("CPU", (0.0, 1.5), (50.0, 75.0)), system_use.Use("GPU 0", (1.0,), (99.0,))]
    assert [line.name for line in system_use.draw(uses).data] == ["CPU", "GPU 0"]
    assert system_use.draw(uses).layout.yaxis.range[1] > 100  # a line of a busy machine is not on the edge
    assert system_use.collect(history.iloc[:0]) == []


def measured(key: str, *rights: int) -> Measured:
    """An entry whose runs got the first images of a hundred right."""
    right = np.stack([np.arange(100) < one for one in rights], axis=1)
    runs = tuple(f"{key}{place}" for place in range(len(rights)))
    return Measured(key, key, runs, right, ("0",) * len(rights), (), 0, np.zeros(len(rights)))


def test_accuracy_and_cost_are_means_of_groups_with_intervals() -> None:
    costs = {"g0": 100.0, "g1": 300.0, "c0": 50.0}
    rows = [run(key, 0.9, **{"metrics.parameters": cost}) for key, cost in costs.items()]
    runs = {one.run_id: one for one in map(as_run, [*rows, run("free0", 0.9)])}
    tested = [measured("g", 90, 94), measured("c", 50), measured("free", 50)]
    found = accuracy_cost.collect(tested, runs, "parameters")
    mean, single = found.choices
    assert (mean.key, mean.cost, mean.accuracy, found.missing) == ("g", 200.0, 0.92, ("free",))
    assert mean.low < 0.86 < 0.97 < mean.high
    assert [single.cost, single.low, single.high] == pytest.approx([50, 0.4038, 0.5962], abs=1e-4)
    styles = {"g": group_style("g"), "c": run_style("c", "1")}
    front, *points = accuracy_cost.draw(found, styles, "parameters").data
    assert (front.x, front.line.shape) == ((50.0, 200.0), "hv")
    assert [(one.name, one.marker.color) for one in points] == [
        ("g", styles["g"].color),
        ("c", styles["c"].color),
    ]


TRIED = Tried(
    pd.DataFrame(
        {
            "model.name": ["lenet5", "conv6", "conv6"],
            "optimizer.learning_rate": ["0.001", "0.1", "0.1"],
            "training.epochs": ["5", "10", "15"],
        }
    ),
    pd.Series([0.5, 0.75, 1.0]),
)


def test_a_heat_map_holds_the_mean_and_the_number_of_runs_of_each_pair() -> None:
    heat = setting_heat.collect(TRIED, "optimizer.learning_rate", "model.name")
    assert heat == setting_heat.Heat(
        ("0.001", "0.1"), ("conv6", "lenet5"), ((None, 0.875), (0.5, None)), ((0, 2), (1, 0))
    )
    drawn = setting_heat.draw(heat, "a", "b").data[0]
    assert [*drawn.text] == [["", "87.5%<br>n=2"], ["50.0%<br>n=1", ""]]


def test_parallel_axes_are_numbers_logarithms_or_places_of_names() -> None:
    *axes, score = parallel.collect(TRIED, [*TRIED.settings])
    assert axes == [
        parallel.Axis("model.name", (1.0, 0.0, 0.0), ((0.0, "conv6"), (1.0, "lenet5"))),
        parallel.Axis("optimizer.learning_rate", (-3.0, -1.0, -1.0), ((-3.0, "0.001"), (-1.0, "0.1"))),
        parallel.Axis("training.epochs", (5.0, 10.0, 15.0), ((5.0, "5"), (10.0, "10"), (15.0, "15"))),
    ]
    assert score == parallel.Axis("validation accuracy", (0.5, 0.75, 1.0), ())
    drawn = parallel.draw([*axes, score]).data[0]
    assert [one.label for one in drawn.dimensions] == [
        "model",
        "learning rate",
        "epochs",
        "validation accuracy",
    ]


def test_importance_is_a_bar_per_setting_the_largest_on_top() -> None:
    bars = importance.draw({"a": 0.7, "b": 0.3}).data[0]
    assert (bars.y, bars.x) == (("b", "a"), (0.3, 0.7))
