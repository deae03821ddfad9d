"""Which settings of a run differ from the defaults, and which do not."""

from __future__ import annotations

import pandas as pd

from core.analysis.experiments import DEFAULTS, default_options, normal
from core.config import DEFAULT_PREPROCESSING, ExperimentConfig
from core.tracking import schema
from core.tracking.run import Run

# Logged among the params, but the title of the run and facts about its data.
NO_SETTINGS = ("name", schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)


def settings_table(run: Run) -> pd.DataFrame:
    """Return every logged setting of a run with its default.

    Returns:
        Rows of setting (dotted name), value, default (empty for a setting that this version does not know)
        and changed, in the order in which they were logged. A setting
        that this version does not know is changed.
    """
    defaults = DEFAULTS | default_options(run.model or "") | _of_components(run)
    if run.params.get("data.preprocessing") == DEFAULT_PREPROCESSING:  # a run logs what `auto` became
        defaults["data.preprocessing"] = DEFAULT_PREPROCESSING
    rows = [
        (name, value, defaults.get(name, ""), normal(value) != normal(defaults.get(name, "")))
        for name, value in run.params.items()
        if name not in NO_SETTINGS
    ]
    return pd.DataFrame(rows, columns=["setting", "value", "default", "changed"])


def changed_settings(config: ExperimentConfig) -> dict[str, str]:
    """Return the settings of a config that differ from the defaults, by dotted names.

    The dataset, the model and the chosen components (optimizer, schedule, loss, preprocessing) are named
    where they are not the default; what depends on them is compared with their own defaults. A setting that
    has no default differs.
    """
    values = {name: str(value) for name, value in config.flat().items() if name not in NO_SETTINGS}
    choosers = {f"{part.part}.{part.chooser}" for part in config.component_parts}
    chosen = {name: values[name] for name in choosers if name in values}
    defaults = DEFAULTS | default_options(config.model.name) | _of_chosen(chosen)
    return {name: value for name, value in values.items() if normal(value) != normal(defaults.get(name, ""))}


def _of_components(run: Run) -> dict[str, str]:
    """The defaults of the settings that only the chosen optimizer, schedule or loss has."""
    choosers = [f"{part.part}.{part.chooser}" for part in ExperimentConfig().component_parts]
    return _of_chosen({name: run.params[name] for name in choosers if run.params.get(name)})


def _of_chosen(chosen: dict[str, str]) -> dict[str, str]:
    """The defaults of all settings where these components are chosen, without the choices themselves."""
    try:
        config = ExperimentConfig().with_values(chosen)
    except ValueError:  # a component that this version does not have, or one that needs more
        return {}
    return {name: str(value) for name, value in config.flat().items() if name not in chosen}
