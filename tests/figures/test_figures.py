"""Figures hold the data that was collected, and no data gives empty axes."""

import numpy as np
import pandas as pd

from core.figures import class_counts, confusion, image_sizes, learning_curves, light, system_use, top_classes
from core.figures.style import PALETTE, foreign_style, run_style

HISTORY = pd.DataFrame(
    {
        "run_id": ["a", "a", "b", "a"],
        "metric": ["loss", "loss", "loss", "val_loss"],
        "step": [2, 1, 1, 1],
        "value": [0.5, 1.0, 2.0, 3.0],
    }
)


def test_curves_are_collected_in_order_of_epochs_and_runs() -> None:
    curves = learning_curves.collect(HISTORY, {"b": "second", "a": "first", "c": "none"}, "loss")
    assert curves == [
        learning_curves.Curve("b", "second", (1,), (2.0,)),
        learning_curves.Curve("a", "first", (1, 2), (1.0, 0.5)),
    ]


def test_a_run_keeps_its_colour_in_every_plot() -> None:
    curves = learning_curves.collect(HISTORY, {"a": "first", "b": "second"}, "loss")
    styles = {"a": run_style("a", "1"), "b": run_style("b", "2")}
    figure = learning_curves.draw(curves, styles, "loss")
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
    figure = learning_curves.draw([], {}, "val_accuracy")
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
    curves = [learning_curves.Curve("a", name, (1,), (1.0,))]
    drawn = learning_curves.draw(curves, {"a": run_style("a", "1")}, "loss")
    matrix = confusion.draw(np.eye(2, dtype=int), [name, "b"])
    bars = class_counts.draw([name], {"train": (1,)})
    top = top_classes.draw([name], [1.0])
    for text in (drawn.data[0].name, matrix.data[0].x[0], bars.data[0].x[0], top.data[0].y[0]):
        assert text == "&lt;a href='https://example.com'&gt;x&lt;/a&gt;"


def test_bars_of_classes() -> None:
    counts = class_counts.draw(["cat", "dog"], {"train": (3, 1), "validation": (0, 0), "test": (1, 1)})
    assert [(bar.name, bar.y) for bar in counts.data] == [("train", (3, 1)), ("test", (1, 1))]
    top = top_classes.draw(["dog", "cat"], [0.9, 0.1])
    assert (top.data[0].y, top.data[0].x) == (("dog", "cat"), (0.9, 0.1))


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
