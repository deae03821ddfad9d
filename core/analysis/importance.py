"""Which settings mattered: Optuna's evaluators of importance, over the runs of a store."""

from __future__ import annotations

from typing import Any

from core.analysis.settings_tried import Tried, is_logarithmic, numbers

MIN_RUNS = 12  # below that one lucky run decides
FANOVA_UP_TO = 200  # runs: its forest takes a minute for a thousand, PED-ANOVA less than a second
FANOVA, PED_ANOVA = "fANOVA", "PED-ANOVA"


def importance(tried: Tried) -> tuple[dict[str, float], str]:
    """Return the share of each setting in the differences of the score, the largest first, and the method.

    fANOVA (Hutter et al., "An efficient approach for assessing hyperparameter importance", 2014) explains the
    variance of the score. Of more than `FANOVA_UP_TO` runs PED-ANOVA (arXiv:2304.10255) tells which
    settings set the best runs apart.

    Args:
        tried: At least `MIN_RUNS` runs, with scores that differ.
    """
    import optuna

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    columns: dict[str, list[Any]] = {}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {}
    for name in tried.settings:
        values = tried.settings[name]
        if (found := numbers(values)) is None:
            columns[name] = values.tolist()
            distributions[name] = optuna.distributions.CategoricalDistribution(sorted(values.unique()))
        else:
            columns[name] = found.tolist()
            distributions[name] = optuna.distributions.FloatDistribution(
                found.min(), found.max(), log=is_logarithmic(found)
            )
    study.add_trials(
        optuna.trial.create_trial(
            params={name: values[place] for name, values in columns.items()},
            distributions=distributions,
            value=score,
        )
        for place, score in enumerate(tried.score.tolist())
    )
    evaluator: optuna.importance.BaseImportanceEvaluator = optuna.importance.PedAnovaImportanceEvaluator()
    few = len(tried.score) <= FANOVA_UP_TO
    if few:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    shares = {name: float(share) for name, share in found.items()}
    return dict(sorted(shares.items(), key=lambda one: -one[1])), FANOVA if few else PED_ANOVA


def missing_runs(tried: Tried) -> str | None:
    """Say why no importance can be told, in a sentence; None where it can."""
    runs = len(tried.score)
    if runs < MIN_RUNS:
        more = MIN_RUNS - runs
        return (
            f"The importance of settings can be told from {MIN_RUNS} finished runs on the same images: "
            f"{more} more {'is' if more == 1 else 'are'} needed."
        )
    if tried.settings.empty or not len(tried.settings.columns):
        return "All of these runs have the same settings."
    return "All of these runs have the same score." if tried.score.nunique() < 2 else None
