"""What is ticked in the table of models survives searches and rows in another order."""

from __future__ import annotations

from core.ui.train.ticks import Shown, shown, ticked_after

ALL = ["conv3", "lenet5", "resnet18", "vgg11"]


def test_what_is_ticked_survives_a_search_and_its_end() -> None:
    ticked = ["lenet5"]
    table = first = shown(Shown(), ALL, ticked)
    assert table.first == (1,)
    ticked = ticked_after(ticked, table, [1, 3])
    assert ticked == ["lenet5", "vgg11"]
    table = shown(table, ["resnet18"], ticked)
    assert table.first == ()
    ticked = ticked_after(ticked, table, [0])
    assert ticked == ["lenet5", "vgg11", "resnet18"]
    table = shown(table, ALL, ticked)
    assert table.first == (1, 2, 3)
    assert table.number != first.number  # the widget of the first would begin as it did then
    assert ticked_after(ticked, table, table.first) == ticked
    assert ticked_after(ticked, table, [1, 2]) == ["lenet5", "resnet18"]


def test_rows_in_another_order_are_another_table_with_the_same_ticked() -> None:
    ticked = ["resnet18"]
    table = shown(Shown(), ALL, ticked)
    assert shown(table, ALL, [*ticked, "vgg11"]) == table  # else a click would draw the widget anew
    counted = shown(table, ["conv3", "lenet5", "vgg11", "resnet18"], ticked)
    assert counted.number != table.number
    assert ticked_after(ticked, counted, counted.first) == ticked


def test_a_row_that_is_no_longer_there_is_nobody() -> None:
    assert ticked_after(["conv3"], Shown(1, ("lenet5",), ()), [0, 5]) == ["conv3", "lenet5"]
