"""Tables for other programs: what they read back is what was shown, and no cell is run as a formula."""

from __future__ import annotations

import csv
import io
import json
import math

import pandas as pd
import pytest

from core.analysis.export import Table, defused, to_csv, to_json, to_latex, to_markdown
from core.analysis.table_columns import TableColumn

ROWS = pd.DataFrame(
    {
        "run": ["=HYPERLINK(1)", "a|b & 50% of_it"],
        "accuracy": [0.98125, 0.5],
        "Δ accuracy": [0.0, -0.48125],
        "loss": [math.nan, math.inf],
        "rate": ["-0.5", "@sum"],
    }
)
TABLE = Table(
    ROWS,
    pd.DataFrame({"accuracy": [0.0034, math.nan]}),
    {"accuracy": TableColumn("accuracy", "metrics.accuracy"), "loss": TableColumn("loss", "metrics.loss")},
    {"Δ accuracy": "accuracy"},
)


def test_csv_keeps_numbers_whole_and_defuses_formulas() -> None:
    first, second = csv.DictReader(io.StringIO(to_csv(TABLE)))
    assert first["run"] == "'=HYPERLINK(1)"
    assert (float(first["accuracy"]), float(first["accuracy ±"])) == (0.98125, 0.0034)
    assert (first["loss"], second["loss"], second["accuracy ±"]) == ("", "inf", "")
    assert float(second["Δ accuracy"]) == -0.48125
    assert (first["rate"], second["rate"]) == ("-0.5", "'@sum")


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\r=1", "  =1", "-"])
def test_what_a_spreadsheet_would_compute_is_defused(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.5", "+3", "-1e-3", "conv-3", "a=b", "", "-inf"])
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert defused(text) == text


def test_markdown_and_latex_show_what_the_page_shows_with_their_signs_escaped() -> None:
    lines = to_markdown(TABLE).splitlines()
    assert lines[0] == "| run | accuracy | Δ accuracy | loss | rate |"
    assert lines[1] == "| --- | ---: | ---: | ---: | --- |"
    assert lines[2] == "| =HYPERLINK(1) | 98.12 ± 0.34% | +0.00 points |  | -0.5 |"
    assert lines[3].startswith(r"| a\|b & 50% of\_it | 50.00% | -48.12 points | inf |")
    latex = to_latex(TABLE)
    assert r"a|b \& 50\% of\_it & 50.00\% & -48.12 points" in latex
    assert r"98.12 $\pm$ 0.34\%" in latex
    assert r"\begin{tabular}{lrrrl}" in latex


def test_json_has_no_number_that_json_does_not_know() -> None:
    first, second = json.loads(to_json(TABLE), parse_constant=pytest.fail)
    assert first["accuracy ±"] == 0.0034
    assert "accuracy ±" not in second
    assert (first["loss"], second["loss"]) == (None, None)
