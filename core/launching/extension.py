"""What a run that is trained further does with its learning rate, where that depends on how long it is."""

from __future__ import annotations

from dataclasses import dataclass

from core.config import ConfigError, ExperimentConfig
from core.schedules import Length, rate_at

CHOOSE = (
    "Choose a constant learning rate or a stretched schedule: "
    "on the command line --learning-rate or --stretch, on the run's page under Train further."
)


@dataclass(frozen=True)
class Extension:
    """A run that goes on after `done` epochs for `epochs` more, with `steps` optimizer steps in each."""

    config: ExperimentConfig
    done: int
    epochs: int
    steps: int

    @property
    def stretched(self) -> ExperimentConfig:
        """The config over all epochs: a schedule of a length is stretched over them."""
        return self.config.with_values({"training.epochs": self.done + self.epochs})

    @property
    def last_rate(self) -> float:
        """The rate of the last step that was trained; a plateau may have lowered it."""
        return self._rate(self.config, self.done * self.steps - 1)

    @property
    def next_rate(self) -> float:
        """The rate of the next step where the schedule is stretched."""
        return self._rate(self.stretched, self.done * self.steps)

    @property
    def needs_a_choice(self) -> bool:
        """Whether the schedule was made for another length than the run would have."""
        planned = self.config.training.epochs
        return self.config.schedule.component.ends_with_run and self.done + self.epochs != planned

    @property
    def happened(self) -> str:
        """What the schedule did until now, and what stretching it would do."""
        name, planned = self.config.schedule.component.title, self.config.training.epochs
        return (
            f"The learning rate followed a {name} over {planned} epochs and was {self.last_rate:.3g} after "
            f"epoch {self.done}. Stretched over {self.done + self.epochs} epochs, it would continue at "
            f"{self.next_rate:.3g}."
        )

    def chosen(self, learning_rate: float | None, stretch: bool) -> tuple[ExperimentConfig, str | None]:
        """The config of the longer run, and a sentence on rates that its config alone does not tell.

        Args:
            learning_rate: Constant from here on; None: as the schedule says.
            stretch: Whether a schedule that was made for another length may be stretched over all epochs.

        Raises:
            ConfigError: Nothing was chosen and the schedule needs it, or both were.
        """
        if learning_rate is not None and stretch:
            raise ConfigError(
                "Either a constant learning rate or a stretched schedule can be chosen, not both."
            )
        if learning_rate is None:
            if self.needs_a_choice and not stretch:
                raise ConfigError(f"{self.happened} {CHOOSE}")
            return self.stretched, self.happened.replace(
                "it would continue", "it continues"
            ) if self.needs_a_choice else None
        staged = 0 < self.config.model.unfreeze_epoch < self.done
        rate = "model.unfreeze_learning_rate" if staged else "optimizer.learning_rate"
        constant = self.stretched.with_values({"schedule.name": "constant", rate: learning_rate})
        before = self.config.schedule.component.title
        return constant, (
            f"Until epoch {self.done} the learning rate was that of the run which this one extends "
            f"({before}, {self.last_rate:.3g} at the end); from there it is constant at {learning_rate:.3g}."
        )

    def _rate(self, config: ExperimentConfig, step: int) -> float:
        return rate_at(config, Length(self.steps, config.training.epochs * self.steps), step)
