"""Training proper: the stages of a run, one `fit` each, from the beginning or from a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import keras
from keras.callbacks import Callback, SwapEMAWeights

from core.architectures.transfer import unfreeze
from core.config import ExperimentConfig
from core.schedules import Length, Stage, of_stage, stages
from core.training.batch_statistics import MeasureStatistics, limit_momentum, measure_statistics
from core.training.best import KeepBest
from core.training.checkpoint import Checkpoint, Remembers
from core.training.device import compiles_with_xla, on_gpu
from core.training.epoch_logger import EpochLogger, LossNames
from core.training.losses import accuracy, cross_entropy, make_loss
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, OrderOfEpoch, fed, steps_per_execution
from core.training.range_test import RangeTest
from core.training.stopping import LowerOnPlateau, Patience, StopEarly, StopOnNan


@dataclass(frozen=True)
class Task:
    """What is trained on what. model: trains; network: its part that has layers to unfreeze, sharing weights.

    macs: multiply-accumulates of the model for one image. validation: may be empty.
    """

    config: ExperimentConfig
    model: keras.Model
    network: keras.Model
    macs: int
    training: Batches
    validation: Batches
    run: Length
    class_weight: dict[int, float] | None = None


class Source(Enum):
    """Where a leg's weights, optimizer and callbacks come from."""

    MODEL = "the model as it is, with an optimizer of its own"
    INTERRUPTION = "the checkpoint with which an interrupted run continues"
    LAST_STEP = "the checkpoint of the last step before: the model may have the best or the averaged weights"


@dataclass(frozen=True)
class Leg:
    """One `model.fit` of a run. number: of its stage, by which a checkpoint names it."""

    number: int
    stage: Stage
    source: Source

    @property
    def follows_early_stopping(self) -> bool:
        """Whether it is trained after early stopping ended the leg before; a rest of some steps is not."""
        return self.stage.begins and self.stage.unfrozen


def plan(found: Sequence[Stage], interrupted: int | None) -> list[Leg]:
    """List what is left to train.

    Args:
        found: the stages of the run, in order.
        interrupted: number of the stage that a checkpoint is of; None for a run that begins.
    """
    legs = []
    for number, stage in enumerate(found):
        if interrupted is not None and number < interrupted:
            continue
        if number == interrupted:
            source = Source.INTERRUPTION
        else:
            source = Source.MODEL if stage.begins else Source.LAST_STEP
        legs.append(Leg(number, stage, source))
    return legs


def fit(task: Task, logger: EpochLogger, reporters: list[Callback], checkpoint: Checkpoint) -> int:
    """Train; afterwards the model has the weights that are kept. Returns the epoch they are of.

    Continues from the checkpoint where there is one. A second stage starts from the best epoch of the first,
    and at once where early stopping ended that.
    """
    validates = len(task.validation.rows) > 0
    best = KeepBest() if task.config.training.keep == "best" and validates else None
    saved = checkpoint.read()
    if saved:
        print(f"continuing after epoch {saved.epoch}")
    done = 0
    patient: dict[str, Patience] = {}
    for leg in plan(stages(task.config, task.run), saved.stage if saved else None):
        stage = leg.stage
        if stage.unfrozen:
            unfreeze(task.network)
        if has_stopped(patient) and not leg.follows_early_stopping:
            break
        state = saved if leg.source is Source.INTERRUPTION else None
        if leg.source is Source.LAST_STEP:
            state = checkpoint.read()
            assert state is not None  # the last epoch of a stage is always saved
        if leg.source is Source.MODEL and stage.unfrozen:
            print(f"unfrozen after epoch {done}")
        begun = state.begun if state else done
        compile_stage(task, stage, begun)
        patient = dict(patience(task.config))
        remembering: dict[str, Remembers] = {"log": logger, **patient, **({"best": best} if best else {})}
        remembering |= {type(one).__name__: one for one in reporters if isinstance(one, RangeTest)}
        checkpoint.enter(leg.number, begun, stage.end, remembering)
        if state:
            state.apply(task.model, remembering)
            done = state.epoch
        if done < stage.end and not has_stopped(patient):
            batches = task.training.from_epoch(done, stage.steps)
            logger.images = batches.images_an_epoch
            own = [*([best] if best else []), *patient.values(), checkpoint]
            history = task.model.fit(
                fed(batches),
                validation_data=fed(task.validation) if validates else None,
                initial_epoch=done,
                epochs=stage.end,
                verbose=0,
                shuffle=False,  # Batches do that, the same way for the same seed and epoch
                class_weight=task.class_weight,
                callbacks=callbacks(task.config, batches, logger, reporters) + own,
            )
            done = history.epoch[-1] + 1
        else:  # interrupted after its last epoch
            task.model.optimizer.finalize_variable_values(task.model.trainable_weights)
        if task.config.optimizer.ema and not validates:  # else measured when they were validated
            measure_statistics(task.model, task.training.from_epoch(done))
        if best:
            best.give_to(task.model)
    return best.epoch if best and best.epoch else done


def callbacks(
    config: ExperimentConfig, batches: Batches, logger: EpochLogger, reporters: Sequence[Callback]
) -> list[Callback]:
    """List the callbacks that log and report, in the order in which each needs the others."""
    return [
        LossNames(),  # first: the others read its names
        OrderOfEpoch(batches),
        logger,  # before the averages, whose measurement is no part of the speed of training
        *averages(config, batches),
        *reporters,
        *([] if config.schedule.component.tests_rates else [StopOnNan()]),
    ]


def compile_stage(task: Task, stage: Stage, begun: int) -> None:
    """Compile for a stage; the rate of an unfrozen one is its own. begun: after how many epochs it began."""
    config = of_stage(task.config, stage)
    steps = task.run.steps_per_epoch
    run = Length(steps, stage.until - begun * steps)
    limit_momentum(task.model, run, task.training.batch_size)
    compile_model(task.model, config, run, task.macs * task.training.batch_size)


def compile_model(model: keras.Model, config: ExperimentConfig, run: Length, macs_per_step: int) -> None:
    """Set optimizer, loss and metrics. run: the steps that the optimizer serves."""
    optimizer = make_optimizer(config, run)
    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)  # small gradients would become zero
    model.compile(
        optimizer=optimizer,
        loss=make_loss(config.training, model.output_shape[-1]),
        metrics=[accuracy(model.output_shape[-1]), cross_entropy()],
        steps_per_execution=1
        if config.schedule.component.tests_rates or config.training.devices > 1  # Keras cannot do both
        else steps_per_execution(run.steps_per_epoch, macs_per_step, on_gpu()),
        jit_compile=compiles_with_xla(config.training),
    )
    model.optimizer.build(model.trainable_variables)


def patience(config: ExperimentConfig) -> Iterator[tuple[str, Patience]]:
    """What waits for something better, by the name under which a checkpoint remembers it."""
    part, schedule = config.training, config.schedule
    if schedule.plateau_patience:
        yield "plateau", LowerOnPlateau(schedule.plateau_patience, schedule.plateau_factor)
    if part.early_stopping:
        yield "stopping", StopEarly(part.early_stopping, part.early_stopping_watches)


def has_stopped(patient: dict[str, Patience]) -> bool:
    stopping = patient.get("stopping")
    return isinstance(stopping, StopEarly) and stopping.stopped


def averages(config: ExperimentConfig, batches: Batches) -> list[Callback]:
    """With moving averages of the weights, these are what is validated, with statistics of their own."""
    return [SwapEMAWeights(), MeasureStatistics(batches)] if config.optimizer.ema else []
