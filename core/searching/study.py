"""Optuna's study of a search: its journal, its sampler and its pruner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.searching.plan import SearchPlan, file_of
from core.system.settings import Settings

if TYPE_CHECKING:
    import optuna

STARTUP = 5  # trials that no curve is compared with: Optuna's default for TPE is ten random ones
WARMUP = 2  # the first epoch after which a trial may be pruned


def study_of(settings: Settings, name: str, plan: SearchPlan) -> optuna.Study:
    """Open the study of a search in its journal, a file beside the tracking store; creates it."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(file_of(settings, name, "journal"))))
    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    pruner = optuna.pruners.MedianPruner(STARTUP, WARMUP) if plan.prunes else optuna.pruners.NopPruner()
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=[up, down] if plan.macs else [up],
        load_if_exists=True,
        pruner=pruner,
    )
    # Resumed with the seed it began with, it would draw its first values again.
    study.sampler = optuna.samplers.TPESampler(seed=plan.seed + len(study.get_trials(deepcopy=False)))
    return study
