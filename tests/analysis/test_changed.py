"""The settings in which a run differs from the defaults."""

from __future__ import annotations

from core.analysis.changed import settings_table
from tests.support.runs import as_run, run


def changed(**settings: object) -> dict[str, tuple[str, str]]:
    table = settings_table(as_run(run("a", 0.9, **settings)))
    rows = table[table["changed"]]
    return {row.setting: (row.value, row.default) for row in rows.itertuples()}


def test_a_run_with_the_defaults_has_changed_nothing_whatever_its_name() -> None:
    assert changed() == {}


def test_what_was_chosen_is_named_with_its_default() -> None:
    found = changed(**{"optimizer.name": "sgd", "training.epochs": 9, "data.folds": 3, "data.fold": 2})
    assert found["optimizer.name"] == ("sgd", "adam")
    assert found["training.epochs"] == ("9", "5")
    assert {"data.folds", "data.fold"} <= found.keys()
    # The settings that the chosen optimizer brings are its defaults, and not a choice of the person.
    assert {name for name in found if name.startswith("optimizer.")} == {"optimizer.name"}


def test_spelling_is_no_change_and_a_setting_of_another_version_is_one() -> None:
    found = changed(**{"params.optimizer.learning_rate": "1e-3", "params.data.old": "7"})
    assert found == {"data.old": ("7", "")}
