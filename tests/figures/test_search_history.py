"""The history of a search: trials in their order, and the best so far."""

from __future__ import annotations

from core.analysis.search_results import FAILED, FINISHED, PRUNED, UNDER_WAY, best, trials
from core.figures.search_history import collect, draw
from core.tracking import schema
from core.tracking.run import Run


def test_the_best_so_far_never_falls() -> None:
    found = collect([(2, 0.6), (0, 0.5), (3, 0.9), (1, 0.4)])
    assert found.numbers == (0, 1, 2, 3)
    assert found.best == (0.5, 0.5, 0.6, 0.9)
    assert [len(trace.x) for trace in draw(collect([])).data] == [0, 0]


def test_trials_are_read_from_the_runs_of_their_search() -> None:
    def run(number: str, status: str, accuracy: float, search: str = "a", **tags: str) -> Run:
        logged = {schema.SEARCH: search, schema.TRIAL: number, **tags}
        return Run(f"{number}{accuracy}", "x", status, logged, metrics={"best_val_accuracy": accuracy})

    runs = [
        run("0", schema.FINISHED, 0.5),
        run("0", schema.FINISHED, 0.7),
        run("1", schema.FINISHED, 0.9),
        run("1", schema.RUNNING, 0.1),
        run("2", schema.KILLED, 0.1, **{schema.PRUNED: "after epoch 2"}),
        run("3", schema.FAILED, 0.1),
        run("4", schema.FINISHED, 0.99, search="b"),
        run("x", schema.FINISHED, 0.99),
    ]
    found = trials("a", runs)
    assert [one.state for one in found] == [FINISHED, UNDER_WAY, PRUNED, FAILED]
    assert found[0].value == 0.6
    first = best(found)
    assert first is not None
    assert (first.number, len(first.entry.run_ids)) == (0, 2)
    assert best(found[1:]) is None
