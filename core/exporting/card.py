"""The card of a model, written from what its run logged: data, settings, results, where it fails, limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import yaml

from core.analysis.intervals import wilson
from core.analysis.mistakes import confusion_matrix, probabilities
from core.analysis.scores import per_class
from core.analysis.values import percent, validation_accuracy
from core.config import ConfigError, ExperimentConfig
from core.exporting.threshold import threshold
from core.system.text import Dumper
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run, runs_of
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore

NAMED = 5  # classes and pairs that the card names
WHOLE_MATRIX = 12  # classes, up to which the confusion matrix is in the card
GONE = (FileNotFoundError, DamagedArtifact, ConfigError, ValueError)


def card_of(store: RunStore, run_id: str) -> str:
    """Return the card of a run's model, in Markdown. Raises UnknownRun."""
    found = runs_of(frames.of_runs(store, [run_id]))
    if not found:
        raise UnknownRun(f"No run has the id '{run_id}'.")
    run, data = found[0], dict[str, Any]()
    with suppress(*GONE):
        data = store.read_json(run_id, schema.DATA)
    classes = [str(one) for one in data.get("classes", ())]
    parts = [f"# {_text(run.name or run_id)}", _lead(run, len(classes)), _data(run, data, classes)]
    parts += [_results(run)]
    with suppress(*GONE):
        table = frames.predictions(store, run_id)
        parts += [*_failures(table, classes)] if len(table) else []
    parts += [f"## When it answers\n\n{_text(threshold(store, run_id).rule)}", _limits(run, data)]
    with suppress(*GONE):
        parts.append(_settings(store.config(run_id)))
    return "\n\n".join(parts) + "\n"


def _text(text: object) -> str:
    """A name as Markdown shows it in one line, whatever signs it has."""
    plain = " ".join(str(text).replace("&", "&amp;").replace("<", "&lt;").split())
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]#|~$!:" else sign for sign in plain)


def _lead(run: Run, classes: int) -> str:
    kind = f"An image classifier of {classes} classes" if classes else "An image classifier"
    return (
        f"{kind}: {_text(run.model)}, trained on {_text(run.dataset)}. Run `{run.run_id}`"
        f"{f', {run.ended:%Y-%m-%d}' if run.ended else ''}."
    )


def _data(run: Run, data: dict[str, Any], classes: Sequence[str]) -> str:
    lines = [f"- dataset: {_text(run.dataset)}, version `{run.params.get(schema.FINGERPRINT, '?')[:12]}`"]
    with suppress(KeyError, TypeError, ValueError):
        height, width, channels = data["shape"]
        lines.append(f"- images: {height}×{width}, {'grey' if channels == 1 else 'colour'}")
        counts = {subset: sum(data["counts"][subset]) for subset in ("train", "validation", "test")}
        lines.append("- " + ", ".join(f"{count:,} {subset}" for subset, count in counts.items()) + " images")
    if classes:
        named = ", ".join(map(_text, classes[:50]))
        lines.append(f"- classes: {named}{f' and {len(classes) - 50} more' if len(classes) > 50 else ''}")
    return "## Data\n\n" + "\n".join(lines)


def _results(run: Run) -> str:
    rows = []
    for label, value, images in (
        ("test accuracy", run.metrics.get("test_accuracy"), run.metrics.get("test_images")),
        ("validation accuracy", validation_accuracy(run), run.metrics.get("validation_images")),
    ):
        if value is None or not 0 <= value <= 1:
            continue
        interval = ""
        if images and images >= 1:
            low, high = wilson(value, images)
            interval = f"{percent(low)} to {percent(high)}, {images:,.0f} images"
        rows.append(f"| {label} | {percent(value)} | {interval} |")
    for label, name in (("balanced test accuracy", "test_balanced_accuracy"), ("macro F1", "test_macro_f1")):
        if name in run.metrics:
            rows.append(f"| {label} | {run.metrics[name]:.4f} | |")
    if (error := run.metrics.get("test_calibration_error")) is not None:
        floor = run.metrics.get("test_calibration_floor")
        beside = "" if floor is None else f"noise floor {floor:.4f}: below it there is no evidence"
        rows.append(f"| calibration error | {error:.4f} | {beside} |")
    for label, name, form in (
        ("parameters", "parameters", "{:,.0f}"),
        ("multiply-accumulates an image", "macs", "{:,.0f}"),
        ("latency of one image where it was trained", "latency_ms", "{:.1f} ms"),
    ):
        if name in run.metrics:
            rows.append(f"| {label} | {form.format(run.metrics[name])} | |")
    if size := run.metrics.get("model_bytes"):
        rows.append(f"| size of the Keras file | {size / 1024:,.0f} KiB | |")
    if not rows:
        return "## Results\n\nThe run logged none."
    return "## Results\n\n| | | 95% interval |\n|---|---|---|\n" + "\n".join(rows)


def _failures(table: pd.DataFrame, classes: Sequence[str]) -> Iterator[str]:
    """Where it fails on the test images, and the confusion at a glance."""
    given, labels = probabilities(table), table["label"].to_numpy("int64")
    names = [*classes] if len(classes) == given.shape[1] else [str(one) for one in range(given.shape[1])]
    by_class = per_class(given, labels, names)
    by_class = by_class[(by_class["images"] > 0) & (by_class["recall"] < 1)]
    lines = []
    for _, row in by_class.sort_values("recall", kind="stable").head(NAMED).iterrows():
        low, high = wilson(row["recall"], row["images"])
        most = f"; most often taken for {_text(row['taken for'])}" if row["taken for"] else ""
        lines.append(
            f"- {_text(row['class'])}: {row['recall']:.1%} of {row['images']:,} images recognised "
            f"({low:.0%} to {high:.0%}){most}"
        )
    yield "## Where it fails\n\n" + ("\n".join(lines) or "No test image was classified wrongly.")
    matrix = confusion_matrix(table)
    if len(names) <= WHOLE_MATRIX:
        head = "| true \\ predicted | " + " | ".join(map(_text, names)) + " |\n|" + "---|" * (len(names) + 1)
        rows = [
            f"| {_text(name)} | " + " | ".join(str(count) if count else "" for count in row) + " |"
            for name, row in zip(names, matrix.tolist(), strict=True)
        ]
        yield "## Confusion at a glance\n\n" + "\n".join([head, *rows])
        return
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[: 2 * NAMED]
    pairs = [divmod(int(place), len(names)) for place in order]
    said = [
        f"- {_text(names[a])} taken for {_text(names[b])}: {wrong[a, b]:,}" for a, b in pairs if wrong[a, b]
    ]
    yield "## Confusion at a glance\n\n" + ("\n".join(said) or "No class was taken for another one.")


def _limits(run: Run, data: dict[str, Any]) -> str:
    lines = [
        "- It always names one of its classes, also for an image that shows none of them.",
        "- Its test images come from the source of its training images: of others expect less.",
    ]
    if "test_calibration_error" in run.metrics:
        lines.append(
            "- Its probabilities are as they are; the calibration error above says what they are worth."
        )
    if leak := run.tags.get(schema.LEAK):
        lines.append(f"- {_text(leak)}")
    if unchecked := run.tags.get(schema.LEAK_UNCHECKED):
        lines.append(f"- {_text(unchecked)}")
    if (images := run.metrics.get("test_images")) is not None and images < 1000:
        lines.append(f"- It was tested on {images:,.0f} images only: mind the interval of its accuracy.")
    if not data:
        lines.append("- What images it takes was not logged.")
    return "## Limits\n\n" + "\n".join(lines)


def _settings(config: ExperimentConfig) -> str:
    changed = config.model_dump(exclude_defaults=True)
    changed |= {"data": {"name": config.data.name} | changed.get("data", {})}
    changed |= {"model": {"name": config.model.name} | changed.get("model", {})}
    text = yaml.dump(changed, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return f"## Settings\n\nOther than the defaults:\n\n```yaml\n{text}```"
