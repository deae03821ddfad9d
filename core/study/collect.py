"""Collects what a study says from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pandas as pd

from core import datasets
from core.analysis import curves, looks
from core.analysis.entries import Entry, counted, narrowed, run_ids_of
from core.analysis.epochs import numbered_from_one
from core.analysis.evaluated_images import Answers, ImportOf, answers_of
from core.analysis.evidence import Measured, gather
from core.analysis.front import Choice, doubtful, front, why_doubtful
from core.analysis.values import validation_accuracy
from core.analysis.verdict import Verdict, decide
from core.analysis.verdict_words import best_of_words, caveats, pair_sentence, set_sentence
from core.analysis.winners_curse import BestOf, best_by_validation, best_measured
from core.datasets import DatasetError, ImageDataset
from core.figures import accuracy_cost, curve_lines, learning_curves
from core.figures.style import LineStyle, group_style, run_style
from core.study.doubts import gaps, in_training_too
from core.study.pictures import deciding
from core.study.settings import listed, settings_rows, untested, versions
from core.study.study import CostChart, CurveChart, PictureRow, Repeat, Row, Study
from core.study.svg import Line, Mark
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore

MISSING = (FileNotFoundError, DamagedArtifact, ValueError)
SAID = 6  # pairs that the verdict names
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
    runs = {run.run_id: run for run in runs_of(frames.of_runs(store, run_ids_of(entries)))}
    entries = [entry for entry in entries if all(one in runs for one in entry.run_ids)]
    if not entries:
        raise ValueError("None of these runs exists any more.")
    styles = styles or {entry.key: _style(entry, runs) for entry in entries}
    predictions: dict[str, pd.DataFrame] = {}

    def read(run_id: str) -> Answers:
        predictions[run_id] = frames.predictions(store, run_id)
        return answers_of(predictions[run_id])

    import_of = cache(datasets.store.import_of)
    verdict = decide(gather(entries, runs, read, import_of))
    ranks = dict(zip((one.key for one in verdict.entries), verdict.ranks, strict=True))
    rows = sorted(
        (_row(entry, runs, styles[entry.key], ranks.get(entry.key), verdict) for entry in entries),
        key=lambda row: (row.rank is None, row.rank or 0, -(row.test or 0)),
    )
    order = {row.key: place for place, row in enumerate(rows)}
    entries = sorted(entries, key=lambda entry: order[entry.key])
    environments = {run_id: _json(store, run_id, schema.ENVIRONMENT) for run_id in runs}
    costs, doubts = _costs(verdict.entries, runs, styles)
    picture_rows, why_no_pictures = _pictures(store, verdict.entries, predictions)
    repeats, cannot = _repeats(store, entries, runs)
    names = ", ".join(entry.name for entry in entries[:4])
    more = f" and {len(entries) - 4} more" if len(entries) > 4 else ""
    return Study(
        title=f"{names}{more}",
        made=f"{_counted(len(runs), 'run')}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        verdict=(
            *_sentences(
                verdict,
                _best(store, entries, runs, verdict, import_of),
                _looks(store, verdict, import_of),
            ),
            *caveats(verdict),
            *_doubts(store, verdict, entries, runs),
        ),
        rows=tuple(rows),
        curves=_curves(store, narrowed(entries, runs), styles),
        costs=costs,
        doubts=doubts,
        pictures=picture_rows,
        why_no_pictures=why_no_pictures,
        settings=settings_rows(entries, runs),
        untested=untested(narrowed(entries, runs), runs, verdict.evidence, environments),
        versions=versions(environments.values()),
        repeats=repeats,
        cannot_repeat=cannot,
    )


def _style(entry: Entry, runs: Mapping[str, Run]) -> LineStyle:
    if entry.is_group:
        return group_style(entry.key)
    return run_style(entry.key, runs[entry.key].tags.get(schema.NUMBER))


def _best(
    store: RunStore,
    entries: Sequence[Entry],
    runs: Mapping[str, Run],
    verdict: Verdict,
    import_of: ImportOf,
) -> BestOf | None:
    """What to expect of the best, by the validation images where all have predictions of the same ones."""

    def read(run_id: str) -> Answers:
        return answers_of(frames.predictions(store, run_id, schema.VALIDATION_PREDICTIONS))

    if len(verdict.entries) < 2:
        return None
    tested = {one.key for one in verdict.entries}
    same = [entry for entry in entries if entry.key in tested]
    return best_by_validation(same, runs, read, import_of) or best_measured(verdict.entries)


def _looks(store: RunStore, verdict: Verdict, import_of: ImportOf) -> str:
    """Say how many runs were evaluated on the test images of a verdict."""

    def read(run_id: str) -> Answers:
        return answers_of(frames.predictions(store, run_id))

    found, evidence = frames.runs(store, looks.KEYS, archived=True), verdict.evidence
    count = looks.looks(found, evidence.evaluated_images, evidence.versions, read, import_of)
    return looks.looks_words(count, evidence.images)


def _doubts(
    store: RunStore, verdict: Verdict, entries: Sequence[Entry], runs: Mapping[str, Run]
) -> tuple[str, ...]:
    """What makes the verdict doubtful beside the settings that differ, which `untested` says."""
    compared = [runs[run_id] for one in verdict.entries for run_id in one.run_ids]
    infos = []
    for name in {run.dataset for run in compared if run.dataset}:
        with suppress(ValueError, DatasetError):
            if datasets.store.exists(name):
                infos.append(datasets.info(name))
    return (*in_training_too(store, compared, infos), *gaps(verdict, entries, runs))


def _sentences(verdict: Verdict, best: BestOf | None, looked: str) -> tuple[str, ...]:
    """The verdict on all, then on the best and each other one, then what to expect of the best."""
    found = [set_sentence(verdict)]
    if len(verdict.entries) > 2:
        found += [pair_sentence(verdict, pair) for pair in verdict.pairs if pair.first == 0][:SAID]
    if best is not None:
        found.append(f"{best_of_words(best)} {looked}")
    return tuple(found)


def _row(entry: Entry, runs: Mapping[str, Run], style: LineStyle, rank: int | None, verdict: Verdict) -> Row:
    those = [runs[one] for one in counted(entry, runs)]
    measured = next((one for one in verdict.entries if one.key == entry.key), None)
    test = measured.accuracy if measured else _mean([run.metrics.get("test_accuracy") for run in those])
    low, high = accuracy_cost.interval_of(measured) if measured else (None, None)
    return Row(
        key=entry.key,
        name=entry.name,
        color=style.color,
        dash=style.dash,
        rank=rank if len(verdict.entries) > 1 else None,
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
    table, look, charts = curves.table(history, "epoch"), curve_lines.Look(), []
    for metric in metrics:
        found = curve_lines.collect_from(table, entries, metric, look)
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
    tested: Sequence[Measured], runs: Mapping[str, Run], styles: Mapping[str, LineStyle]
) -> tuple[tuple[CostChart, ...], tuple[str, ...]]:
    """The charts of accuracy over each cost that two entries logged, and who is on a front by luck."""
    charts: list[CostChart] = []
    in_doubt: dict[tuple[str, str], list[tuple[Choice, Choice, str]]] = {}
    for cost, label in accuracy_cost.COSTS.items():
        found = accuracy_cost.collect(tested, runs, cost).choices
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
    doubts = [
        why_doubtful(*those[0][:2], tested, listed([more for _, _, more in those]))
        for those in in_doubt.values()
    ]
    return tuple(charts), tuple(doubts)


def _pictures(
    store: RunStore, tested: Sequence[Measured], predictions: Mapping[str, pd.DataFrame]
) -> tuple[tuple[PictureRow, ...], str]:
    """The images that decide between the best two, and why there are none."""
    if len(tested) < 2:
        return (), ""
    data = _json(store, tested[0].run_ids[0], schema.DATA)
    dataset = _dataset(str(data.get("name", "")), str(data.get("fingerprint", "")))
    if dataset is None:
        return (), "The dataset was replaced or removed since: its images cannot be shown."
    return deciding(tested[0], tested[1], predictions, dataset.images, data.get("classes") or []), ""


def _dataset(name: str, fingerprint: str) -> ImageDataset | None:
    """The dataset of this name if it has the images of that version, whatever was edited since; else None."""
    with suppress(ValueError, DatasetError):
        if datasets.store.has_version(name, fingerprint):
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
