"""What the runs of a study differ in, what was not tested, and with which versions they ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.analysis.basis import split_of
from core.analysis.differences import differing
from core.analysis.differences import versions as versions_of
from core.analysis.entries import Entry
from core.analysis.evidence import Evidence
from core.tracking import schema
from core.tracking.run import Run

LEFT_OUT = 5  # of the entries that are not ranked, those of which the reason is said
VERSION = "version of the dataset"
# Settings that are no property of the experiment.
OF_THE_MACHINE = ("training.device", "training.images_on_device")


def settings_rows(
    entries: Sequence[Entry], runs: Mapping[str, Run]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the settings in which entries differ, each with the values of every entry as text.

    The version of the dataset is the first of them where it differs.
    """
    trained_on = [versions_of(runs[one] for one in entry.run_ids) for entry in entries]
    found = [(VERSION, tuple(map(frozenset, trained_on)))] if len({*trained_on}) > 1 else []
    found += differing(entries, runs).items()
    return tuple(
        (name, tuple(", ".join(sorted(value or "none" for value in one)) or "–" for one in values))
        for name, values in found
    )


def untested(
    entries: Sequence[Entry],
    runs: Mapping[str, Run],
    evidence: Evidence,
    environments: Mapping[str, Mapping[str, Any]],
) -> tuple[str, ...]:
    """Say what a reader could believe to be known, and is not.

    Args:
        evidence: Of the entries that were tested on the same images.
        environments: `environment.json` of each run, by id.
    """
    found = []
    trained_on = versions_of(runs.values())
    once = [entry.name for entry in entries if len({_seed(runs[one]) for one in entry.run_ids}) == 1]
    if once:
        found.append(f"Other seeds: {listed(once)} {_were(once)} trained with one seed.")
    if not any(runs[one].whole_setting("data.folds") for entry in entries for one in entry.run_ids):
        splits = {split_of(run) for run in runs.values()}
        sets = "all models have one training set"
        if len(trained_on) > 1:
            sets = f"the models were trained on {len(trained_on)} versions of the data"
        elif len(splits) > 1:
            sets = f"the models have {len(splits)} different splits, so the difference may come from there"
        found.append(f"Other splits: there is no cross-validation, {sets}.")
    names = {runs[one].dataset for entry in entries for one in entry.run_ids} - {None}
    if len(names) == 1:
        found.append(f"Other data: everything here is the dataset '{names.pop()}'.")
    if evidence.images:
        what = f"the test set has {evidence.images:,}, which the intervals account for"
        found.append(f"Other test images: {what}.")
    found += evidence.left_out[:LEFT_OUT]
    if (more := len(evidence.left_out) - LEFT_OUT) > 0:
        found.append(f"{more} more {'is' if more == 1 else 'are'} left out, as these.")
    changed = [VERSION] if len(trained_on) > 1 else []
    changed += [
        name
        for name in differing(entries, runs)
        if not name.startswith("model.") and name not in ("seed", "data.fold", *OF_THE_MACHINE)
    ]
    if changed:
        found.append(
            f"The model alone: these entries differ in {listed(changed)} too, so the difference may come "
            "from there."
        )
    devices = {", ".join(one["devices"]) for one in environments.values() if one.get("devices")}
    if len(devices) > 1:
        found.append(f"Times on one machine: devices differed ({'; '.join(sorted(devices))}).")
    unfinished = [run.name for run in runs.values() if run.status != schema.FINISHED]
    if unfinished:
        found.append(f"{listed(unfinished)}: not finished.")
    return tuple(found)


def versions(environments: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return the versions that the runs logged: all values of each name that any run has."""
    found: dict[str, list[str]] = {}
    for one in environments:
        packages = one.get("packages") or {}
        plain = {name: one.get(name) for name in ("python", "backend", "precision", "code")}
        devices = {"devices": ", ".join(map(str, one.get("devices") or ()))}
        for name, value in {**plain, **devices, **packages}.items():
            if value and str(value) not in found.setdefault(name, []):
                found[name].append(str(value))
    return tuple((name, ", ".join(sorted(values))) for name, values in found.items() if values)


def _seed(run: Run) -> str | None:
    return run.params.get("seed")


def _were(names: Sequence[str]) -> str:
    return "was" if len(names) == 1 else "were"


def listed(names: Sequence[str]) -> str:
    if len(names) > 6:
        return f"{', '.join(names[:6])} and {len(names) - 6} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
