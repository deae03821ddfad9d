"""Asks Optuna for trials that were not tried yet: of a small space TPE proposes a point again and again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

AGAIN = "again"  # attribute of a proposal that was left out: an earlier trial had its settings


def counted(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that were begun, without proposals that were left out or wait to be asked for."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    return [one for one in trials if AGAIN not in one.user_attrs and one.state != TrialState.WAITING]


def ask(study: optuna.Study, space: Mapping[str, BaseDistribution]) -> optuna.Trial:
    """Ask for a trial with settings that no earlier one had: trained again it would come to the same.

    A proposal that was tried ends at once as failed, which TPE does not learn from, and keeps its number; an
    untried point takes its place. There must be one.
    """
    from optuna.trial import TrialState

    tried = {_point(one.params) for one in counted(study)}
    while True:
        asked = study.ask(dict(space))
        if _point(asked.params) not in tried:
            return asked
        asked.set_user_attr(AGAIN, True)
        study.tell(asked.number, state=TrialState.FAIL)
        study.enqueue_trial(_untried(space, tried, asked.number))


def _untried(space: Mapping[str, BaseDistribution], tried: set[str], seed: int) -> dict[str, Any]:
    """Draw a point of the space that was not tried."""
    draw = random.Random(seed)
    while True:
        found = {name: _drawn(one, draw) for name, one in space.items()}
        if _point(found) not in tried:
            return found


def _drawn(one: BaseDistribution, draw: random.Random) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(one, CategoricalDistribution):
        return draw.choice(one.choices)
    if isinstance(one, IntDistribution):
        return draw.randint(one.low, one.high)
    assert isinstance(one, FloatDistribution)
    return draw.uniform(one.low, one.high)


def _point(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items()))
