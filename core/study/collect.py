"""Collects what a study says from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from core import datasets
from core.analysis import curves
from core.analysis.answers import Answers, answers, most_common
from core.analysis.entries import Entry, run_ids_of
from core.analysis.epochs import numbered_from_one
from core.analysis.front import Choice, doubtful, front, why_doubtful
from core.analysis.values import validation_accuracy
from core.datasets import DatasetError, ImageDataset
from core.figures import accuracy_cost, learning_curves
from core.figures.style import LineStyle, group_style, run_style
from core.study.pictures import deciding
from core.study.settings import differing, listed, untested, versions
from core.study.study import CostChart, CurveChart, PictureRow, Repeat, Row, Study
from core.study.svg import Line, Mark
from core.study.verdict import verdict_of
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore

MISSING = (FileNotFoundError, DamagedArtifact, ValueError)
COST_LABELS = {
    "parameters": "parameters",
    "macs": "MACs",
    "train_seconds": "training, s",
    "latency_ms": "latency, ms",
    "model_bytes": "size, bytes",
}


def study_of(
    store: RunStore, entries: Sequence[Entry], styles: Mapping[str, LineStyle] | None = None
) -> Study:
    """Collect a study of runs and groups of runs.

    Args:
        styles: How each entry is drawn, by its key; by default as on the pages.
    """
    every = frames.runs(store, recent=True)
    runs = {run.run_id: run for run in runs_of(every[every["run_id"].isin(run_ids_of(entries))])}
    entries = [entry for entry in entries if all(one in runs for one in entry.run_ids)]
    if not entries:
        raise ValueError("None of these runs exists any more.")
    styles = styles or {entry.key: _style(entry, runs) for entry in entries}
    answered = _answers(store, runs)
    same = most_common(entries, answered)
    images = len(answered[same[0].run_ids[0]].index) if same else 0
    found = verdict_of(same, answered)
    rows = sorted(
        (_row(entry, runs, styles, found.ranks, images, entry in same) for entry in entries),
        key=lambda row: (row.rank is None, row.rank or 0, -(row.test or 0)),
    )
    order = {row.key: place for place, row in enumerate(rows)}
    entries = sorted(entries, key=lambda entry: order[entry.key])
    same = [entry for entry in entries if entry in same]
    environments = {run_id: _json(store, run_id, schema.ENVIRONMENT) for run_id in runs}
    costs, doubts = _costs(same, runs, styles, images, answered)
    picture_rows, why_no_pictures = _pictures(store, same, runs, answered)
    repeats, cannot = _repeats(store, entries, runs)
    names = ", ".join(entry.name for entry in entries[:4])
    more = f" and {len(entries) - 4} more" if len(entries) > 4 else ""
    return Study(
        title=f"{names}{more}",
        made=f"{_counted(len(runs), 'run')}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        verdict=found.sentences,
        rows=tuple(rows),
        curves=_curves(store, entries, styles),
        costs=costs,
        doubts=doubts,
        pictures=picture_rows,
        why_no_pictures=why_no_pictures,
        settings=differing(entries, runs),
        untested=untested(entries, same, runs, images, environments),
        versions=versions(environments.values()),
        repeats=repeats,
        cannot_repeat=cannot,
    )


def _style(entry: Entry, runs: Mapping[str, Run]) -> LineStyle:
    if entry.is_group:
        return group_style(entry.key)
    return run_style(entry.key, runs[entry.key].tags.get(schema.NUMBER))


def _answers(store: RunStore, runs: Mapping[str, Run]) -> dict[str, Answers]:
    found = {}
    for run_id, run in runs.items():
        if run.status == schema.FINISHED:
            with suppress(*MISSING):
                predictions = frames.predictions(store, run_id)
                found[run_id] = answers(predictions, run.params.get(schema.FINGERPRINT, ""))
    return found


def _row(
    entry: Entry,
    runs: Mapping[str, Run],
    styles: Mapping[str, LineStyle],
    ranks: Mapping[str, int],
    images: int,
    comparable: bool,
) -> Row:
    those = [runs[one] for one in entry.run_ids]
    own = images if comparable else int(max(run.metrics.get("test_images", 0) for run in those))
    test, low, high = (own and accuracy_cost.accuracy_of(those, own)) or (None, None, None)
    return Row(
        key=entry.key,
        name=entry.name,
        color=styles[entry.key].color,
        dash=styles[entry.key].dash,
        rank=ranks.get(entry.key),
        runs=len(those),
        test=test,
        low=low,
        high=high,
        validation=_mean([validation_accuracy(run) for run in those]),
        costs=tuple(
            (label, _mean([run.metrics.get(cost) for run in those])) for cost, label in COST_LABELS.items()
        ),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _curves(
    store: RunStore, entries: Sequence[Entry], styles: Mapping[str, LineStyle]
) -> tuple[CurveChart, ...]:
    metrics = ("val_accuracy", "val_loss")
    history = numbered_from_one(frames.histories(store, run_ids_of(entries), metrics))
    table, look, charts = curves.table(history, "epoch"), learning_curves.Look(), []
    for metric in metrics:
        found = learning_curves.collect_from(table, entries, metric, look)
        drawn = []
        for line in found.lines:
            style, curve = styles[line.key], line.curve
            band = tuple(zip(curve.x, curve.low, curve.high, strict=True)) if curve.low else ()
            drawn.append(Line(style.color, style.dash, tuple(zip(curve.x, curve.y, strict=True)), band))
        if drawn:
            percent = metric in learning_curves.IN_PERCENT
            label, question = learning_curves.LABELS[metric], learning_curves.QUESTIONS[metric]
            charts.append(CurveChart(question, "epoch", label, percent, tuple(drawn)))
    return tuple(charts)


def _costs(
    same: Sequence[Entry],
    runs: Mapping[str, Run],
    styles: Mapping[str, LineStyle],
    images: int,
    answered: Mapping[str, Answers],
) -> tuple[tuple[CostChart, ...], tuple[str, ...]]:
    """The charts of accuracy over each cost that two entries logged, and who is on a front by luck."""
    charts: list[CostChart] = []
    in_doubt: dict[tuple[str, str], list[tuple[Choice, Choice, str]]] = {}
    for cost, label in accuracy_cost.COSTS.items():
        found = accuracy_cost.collect(runs, same, cost, images).choices
        if len(found) < 2:
            continue
        members = front(found)
        marks = tuple(
            Mark(
                styles[one.key].color,
                f"{one.name}: {one.accuracy:.2%} ({one.low:.2%} to {one.high:.2%})",
                one.cost,
                one.accuracy,
                one.low,
                one.high,
                one in members,
            )
            for one in found
        )
        steps = tuple((one.cost, one.accuracy) for one in members)
        charts.append(CostChart(accuracy_cost.QUESTIONS[cost], label, marks, steps))
        for one, cheaper in doubtful(found):
            more = accuracy_cost.MORE[cost]
            in_doubt.setdefault((one.key, cheaper.key), []).append((one, cheaper, more))
    by_key, doubts = {entry.key: entry for entry in same}, []
    for (key, cheaper_key), those in in_doubt.items():
        one, cheaper, _ = those[0]
        more = listed([more for _, _, more in those])
        doubts.append(why_doubtful(one, cheaper, by_key[key], by_key[cheaper_key], answered, more))
    return tuple(charts), tuple(doubts)


def _pictures(
    store: RunStore, same: Sequence[Entry], runs: Mapping[str, Run], answered: Mapping[str, Answers]
) -> tuple[tuple[PictureRow, ...], str]:
    """The images that decide between the best two, and why there are none."""
    if len(same) < 2:
        return (), ""
    first = runs[same[0].run_ids[0]]
    data = _json(store, first.run_id, schema.DATA)
    dataset = _dataset(str(data.get("name", "")), str(data.get("fingerprint", "")))
    if dataset is None:
        return (), "The dataset was changed or removed since: its images cannot be shown."
    return deciding(same[0], same[1], answered, dataset.images, data.get("classes") or []), ""


def _dataset(name: str, fingerprint: str) -> ImageDataset | None:
    """The dataset of this name that is here; None where it is not, or is no longer of that fingerprint."""
    with suppress(ValueError, DatasetError):
        if datasets.store.exists(name) and datasets.info(name).fingerprint == fingerprint:
            return datasets.load(name)
    return None


def _repeats(
    store: RunStore, entries: Sequence[Entry], runs: Mapping[str, Run]
) -> tuple[tuple[Repeat, ...], tuple[str, ...]]:
    found, cannot = [], []
    for run_id in run_ids_of(entries):
        run = runs[run_id]
        try:
            text = store.config(run_id).to_yaml()
        except MISSING:
            cannot.append(f"{run.name or run_id}: another program logged it, or its config is gone.")
            continue
        found.append(Repeat(run.name, run_id, f"{_file_name(run.name)}-{run_id[:6]}.yaml", text))
    return tuple(found), tuple(cannot)


def _file_name(name: str) -> str:
    """Letters, digits and dashes alone: names are what people like."""
    return (
        "-".join(filter(None, "".join(one if one.isalnum() else " " for one in name).split()))[:60] or "run"
    )


def _json(store: RunStore, run_id: str, name: str) -> dict[str, Any]:
    with suppress(*MISSING):
        return store.read_json(run_id, name)
    return {}


def _counted(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"
