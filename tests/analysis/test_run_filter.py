"""The filter over runs keeps what it says, and says what it does not understand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.filter_grammar import FilterError
from core.analysis.run_filter import of_text
from core.analysis.table_columns import catalogue_of

ROWS: list[dict[str, Any]] = [
    {
        "name": "first try",
        "status": "FINISHED",
        "params.model.name": "resnet_cifar",
        "params.optimizer.name": "adam",
        "params.optimizer.learning_rate": "1e-3",
        "params.training.batch_size": "64",
        "metrics.val_accuracy": 0.95,
        "tags.baseline": "",
        "tags.team": "vision",
    },
    {
        "name": "Second",
        "status": "FINISHED",
        "params.model.name": "resnet_v2",
        "params.optimizer.name": "sgd",
        "params.optimizer.learning_rate": "0.01",
        "params.training.batch_size": "128",
        "metrics.val_accuracy": 0.5,
        "tags.archlab.locked": "yes",
    },
    {
        "name": "third (old)",
        "status": "FAILED",
        "params.model.name": "lenet5",
        "params.optimizer.learning_rate": "0.1",
        "params.training.batch_size": "64",
        "tags.team": "speech",
    },
    {"name": "from elsewhere", "status": "RUNNING", "params.size.rate": "9", "params.other.rate": "1"},
]
RUNS = pd.DataFrame(
    [
        {"run_id": f"{place:032x}", "started": pd.Timestamp(f"2026-03-{place + 10}", tz="UTC"), **row}
        for place, row in enumerate(ROWS)
    ]
).assign(ended=None, last_epoch=[1.0, 2.0, 3.0, None])
TAGS = ("baseline", "team", "archlab.locked")


def kept(text: str) -> list[int]:
    """The numbers of the rows that a filter keeps."""
    wanted = of_text(text, catalogue_of(RUNS), TAGS)
    return [place for place, keeps in enumerate(wanted.rows(RUNS)) if keeps]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("resnet", [0, 1]),
        ("resnet second", [1]),
        ("SECOND or lenet", [1, 2]),
        ('"first try"', [0]),
        ("vision", [0]),
        ("failed", [2]),
        ("model = resnet*", [0, 1]),
        ("model = resnet", []),
        ("model != resnet*", [2, 3]),
        ("not model = resnet*", [2, 3]),
        ("model = lenet5 or model = resnet_v?", [1, 2]),
        ("optimizer.learning_rate = 0.001", [0]),
        ("learning_rate >= 0.01", [1, 2]),
        ("batch_size = 64 and not tag:baseline", [2]),
        ("val_accuracy > 90%", [0]),
        ("val_accuracy > 90 %", [0]),
        ("val_accuracy <= 0.5", [1]),
        ("not val_accuracy > 90%", [1, 2, 3]),
        ("val_accuracy = none", [2, 3]),
        ("optimizer != none", [0, 1]),
        ("tag:team", [0, 2]),
        ("tag:team = spe*", [2]),
        ("tag:locked", [1]),
        ("state = running", [3]),
        ("name = 'third (old)'", [2]),
        ("submitted >= 2026-03-12", [2, 3]),
        ("submitted = 2026-03-11", [1]),
        ("last_epoch > 1 and (state = failed or model = resnet_v2)", [1, 2]),
        ("model = resnet* val_accuracy < 0.9", [1]),
        ("not not lenet", [2]),
        ("model = resnet_cifar or model = lenet5 and state = finished", [0]),
        ("(model = resnet_cifar or model = lenet5) and state = failed", [2]),
        ("params.size.rate = 9", [3]),
    ],
)
def test_a_filter_keeps_what_it_says(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("val_accuracy >", "expected a value after '>' at the end of 'val_accuracy >'"),
        ("model = = conv", "expected a value after '=' at character 9, but found '='"),
        ("= 3", "expected a column, a word or '(' at character 1, but found '='"),
        ("(model = conv", "the '(' at character 1 is not closed"),
        ("conv)", "nothing is open that ')' at character 5 could close"),
        ('model = "conv', "the quotation mark at character 9 is not closed"),
        ("model and", "expected a column, a word or '(' at the end of"),
        ("val_acuracy > 1", "no run has a column 'val_acuracy'. Did you mean val_accuracy"),
        ("rate = 1", "'rate' may be other.rate or size.rate: write which one"),
        ("val_accuracy = high", "'val_accuracy' is a number, but is compared with 'high'"),
        ("model > 3", "'model' holds texts, so '>' cannot compare it"),
        ("learning_rate > fast", "'>' compares numbers, but 'fast' after 'learning_rate' is none"),
        ("submitted > soon", "'submitted' is a time, but is compared with 'soon'"),
        ("tag: and x", "expected the name of a tag after 'tag:' at character 1"),
        ("(" * 60 + "x" + ")" * 60, "more than 50 parentheses within each other"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        kept(text)
    assert said in str(caught.value)


# Each condition with what it means for one row, written anew here.
Truth = Callable[[Mapping[str, Any]], bool]
CONDITIONS: list[tuple[str, Truth]] = [
    ("model = resnet*", lambda row: str(row.get("params.model.name", "")).startswith("resnet")),
    ("batch_size > 100", lambda row: float(row.get("params.training.batch_size", "nan")) > 100),
    ("val_accuracy < 60%", lambda row: float(row.get("metrics.val_accuracy", "nan")) < 0.6),
    ("tag:team", lambda row: "tags.team" in row),
    ("state = finished", lambda row: row["status"] == "FINISHED"),
    ("optimizer != adam", lambda row: row.get("params.optimizer.name") != "adam"),
]
LEAF = st.sampled_from(CONDITIONS)


def joined(word: str, how: Callable[[list[bool]], bool]) -> Any:
    def join(parts: list[tuple[str, Truth]]) -> tuple[str, Truth]:
        return (
            "(" + f" {word} ".join(text for text, _ in parts) + ")",
            lambda row: how([truth(row) for _, truth in parts]),
        )

    return join


def negated(part: tuple[str, Truth]) -> tuple[str, Truth]:
    text, truth = part
    return f"not ({text})", lambda row: not truth(row)


EXPRESSIONS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(joined("and", all)),
        st.lists(inner, min_size=2, max_size=3).map(joined("or", any)),
        st.lists(inner, min_size=2, max_size=3).map(joined("", all)),
        inner.map(negated),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
@settings(max_examples=100, deadline=None)
def test_conditions_combine_as_logic_says(expression: tuple[str, Truth]) -> None:
    text, truth = expression
    assert kept(text) == [place for place, row in enumerate(ROWS) if truth(row)]


@given(st.text(alphabet="ab =<>!()\"'%*.:not r", max_size=25))
@settings(max_examples=200, deadline=None)
def test_no_text_fails_otherwise_than_by_a_sentence(text: str) -> None:
    with suppress(FilterError):
        assert set(kept(text)) <= {0, 1, 2, 3}
