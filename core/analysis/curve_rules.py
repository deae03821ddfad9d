"""Rules of `core.analysis.what_happened` on the curves of loss and accuracy."""

from __future__ import annotations

import math

import numpy as np

from core.analysis import health
from core.analysis.experiments import DEFAULTS, normal
from core.analysis.remedies import longer, lower_rate
from core.analysis.run_story import Finding, Story
from core.tracking import schema
from core.tracking.run import Run

ON_IN_TRAINING = ("dropout", "drop_rate", "stochastic_depth")
OFF = ("false", "0")


def diverged(story: Story) -> Finding | None:
    """The training loss is no number, or far above where it had been and above guessing."""
    losses = story.curves[["loss", "accuracy"]]
    losses = losses[losses.notna().any(axis=1)]
    values = losses["loss"].to_numpy()
    if not len(values):
        return None
    finite = np.isfinite(values)
    least = np.minimum.accumulate(np.where(finite, values, np.inf))
    before = np.append(np.inf, least[:-1])
    limit = np.where(
        np.isfinite(before), np.fmax(3 * before, np.nan_to_num(2 * story.guessing, nan=10.0)), math.inf
    )
    risen = (finite & (values > np.minimum(limit, health.EXPLODED_ABOVE))) | ~finite
    if not (risen[-1] and story.run.is_ours and story.run.tags.get(schema.LOSS)):
        return None
    place = len(risen) - int(np.argmin(risen[::-1])) if not risen.all() else 0
    epoch = int(losses.index[place])
    value = values[-1]
    now = f"{value:.3g}" if np.isfinite(value) else "no number"
    end = "" if place == len(values) - 1 else f" in epoch {int(losses.index[-1])}"
    was = f"the loss had been {least[place - 1]:.3g} and is {now}" if place else f"the loss is {now}"
    rate = f", at a learning rate of {story.rate:g}" if story.rate > 0 else ""
    return Finding(
        health.EXPLODED, f"Training diverged in epoch {epoch}: {was}{end}{rate}.", *lower_rate(story)
    )


def unstable(story: Story) -> Finding | None:
    """The training loss rises again and again."""
    losses = story.curve("loss")
    if len(losses) < 6 or math.isnan(story.guessing) or not np.isfinite(losses).all():
        return None
    rises = np.diff(losses)
    large = (rises > 0.05 * story.guessing) & (rises > 0.1 * losses[:-1])
    if large.sum() < max(2, len(rises) / 4):
        return None
    return Finding(
        "unstable",
        f"The training loss rose in {large.sum()} of {len(losses)} epochs, by up to {rises.max():.2g}: "
        "the learning rate is too high, or batches are too small.",
        *lower_rate(story, 3),
    )


def memorised(story: Story) -> Finding | None:
    """The validation loss rises for good while the training loss falls on."""
    table = story.curves[["loss", "val_loss"]].dropna()
    loss, val = table["loss"].to_numpy(), table["val_loss"].to_numpy()
    if len(val) < 5 or not np.isfinite(table.to_numpy()).all():
        return None
    best = int(val.argmin())
    after = len(val) - 1 - best
    if after < 3 or loss[best] <= 0:
        return None
    last = val[-3:].mean()
    noise = np.abs(np.diff(val[best:])).mean()
    if last < 1.15 * val[best] + 2 * noise / math.sqrt(after) or loss[-1] > 0.7 * loss[best]:
        return None
    return Finding(
        "memorised",
        f"It memorised the training set from epoch {int(table.index[best]) + 1} on: the validation loss rose "
        f"from {val[best]:.3g} to {val[-1]:.3g} while the training loss fell from {loss[best]:.3g} to "
        f"{loss[-1]:.3g}.",
        "Again with early stopping",
        {"training.early_stopping": 3, "training.early_stopping_watches": "val_loss"},
    )


def plateau(story: Story) -> Finding | None:
    """Training stopped improving long before the end, at a constant rate and far from done."""
    table = story.curves[["loss", "val_loss", "accuracy"]].dropna()
    rates = story.curve("learning_rate")
    if len(table) < 8 or story.learned_nothing or (len(rates) and rates[-1] < 0.5 * rates.max()):
        return None
    second = table.iloc[len(table) // 2 :]
    quarter = max(1, len(second) // 2)
    first, last = second.iloc[:quarter].mean(), second.iloc[-quarter:].mean()
    flat = (first[["loss", "val_loss"]] - last[["loss", "val_loss"]]).abs() < 0.02 * first[
        ["loss", "val_loss"]
    ]
    if not flat.all() or last["accuracy"] > 0.9 or not last["loss"] > 0.25 * story.guessing:
        return None
    return Finding(
        "plateau",
        f"It stopped improving about epoch {int(second.index[0])} of {int(table.index[-1])}: the training "
        f"loss stays at {last['loss']:.3g}, with {last['accuracy']:.1%} of the training images right.",
        "Again with a rate that falls on a plateau",
        {"schedule.plateau_patience": 3},
    )


def batch_normalization_lags(story: Story) -> Finding | None:
    """For some epochs validation is far worse than training, and then it is not."""
    table = story.curves[["accuracy", "val_accuracy"]].dropna()
    gap = (table["accuracy"] - table["val_accuracy"]).to_numpy()
    if len(gap) < 2 or (worst := int(gap[:-1].argmax())) == len(gap):
        return None
    if gap[worst] < 0.3 or gap[worst + 1 :].min() > gap[worst] - 0.25:
        return None
    row = table.iloc[worst]
    batch = story.run.whole_setting("training.batch_size")
    smaller = ("Again with smaller batches", {"training.batch_size": batch // 2}) if batch >= 16 else ("", {})
    return Finding(
        "batch normalization lags",
        f"In epoch {int(table.index[worst])} it recognised {row['accuracy']:.1%} of the training and "
        f"{row['val_accuracy']:.1%} of the validation images, and later the two agree: the averages that "
        "batch normalization validates with lagged behind the weights.",
        *smaller,
    )


def still_improving(story: Story) -> Finding | None:
    """The validation loss fell to the very end."""
    val = story.curve("val_loss")
    if len(val) < 3 or story.run.status != schema.FINISHED or not (np.isfinite(val) & (val > 0)).all():
        return None
    falls = 1 - val[-2:] / val[-3:-1]
    if falls.min() < 0.05 or _stopped_early(story):
        return None
    return Finding(
        "still improving",
        "It was still improving when it ended: the validation loss fell by "
        f"{falls[-1]:.0%} in the last epoch.",
        *longer(story),
        alarm=False,
    )


def validation_above_training(story: Story) -> Finding | None:
    """Validation accuracy is above training accuracy, since some things act in training only."""
    table = story.curves[["accuracy", "val_accuracy"]].dropna()
    second = table.iloc[len(table) // 2 :]
    gap = second["val_accuracy"] - second["accuracy"]
    if len(table) < 3 or gap.min() <= 0:
        return None
    images = story.run.metrics.get("validation_images", math.nan)
    share = float(second["val_accuracy"].mean())
    error = math.sqrt(max(0.0, share * (1 - share)) / images) if images >= 1 else 0.0
    if gap.mean() < max(0.01, 2 * error):
        return None
    reasons = _only_in_training(story.run)
    because = " and ".join(reasons) if reasons else "the model improves within an epoch, and dropout, if any,"
    act = "act" if len(reasons) == 2 else "acts"
    return Finding(
        "validation above training",
        f"Validation accuracy is {100 * gap.mean():.1f} points above training accuracy, which is no mistake: "
        f"{because} {act} in training only.",
        alarm=False,
    )


def stopped_early(story: Story) -> Finding | None:
    """Early stopping ended it."""
    if not _stopped_early(story):
        return None
    run = story.run
    best, planned = run.metrics.get("best_epoch"), run.whole_setting("training.epochs")
    kept = f"; the best was epoch {best:.0f}" if best is not None and math.isfinite(best) else ""
    return Finding(
        "stopped early",
        f"Early stopping ended it after epoch {run.last_epoch} of {planned}{kept}.",
        alarm=False,
    )


def _stopped_early(story: Story) -> bool:
    run = story.run
    by_epochs = run.whole_setting("training.early_stopping") > 0 and not run.whole_setting("training.steps")
    return by_epochs and 0 < (run.last_epoch or 0) < run.whole_setting("training.epochs")


def _only_in_training(run: Run) -> list[str]:
    """What makes the training images harder than the validation images."""
    found = []
    if any(
        name.startswith("augmentation.")
        and normal(DEFAULTS.get(name, "")) in OFF
        and normal(value) not in OFF
        for name, value in run.params.items()
    ):
        found.append("augmentation")
    if any((run.setting(name) or 0) > 0 for name in run.params if name.rpartition(".")[2] in ON_IN_TRAINING):
        found.append("dropout")
    return found
