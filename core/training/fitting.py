"""Training proper: the stages of a run, one `fit` each, from the beginning or from a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
from keras.callbacks import Callback, SwapEMAWeights

from core.architectures.transfer import unfreeze
from core.config import ExperimentConfig
from core.schedules import Length, Stage, of_stage, stages
from core.training.batch_statistics import MeasureStatistics, limit_momentum, measure_statistics
from core.training.callbacks import EpochLogger, KeepBest, LossNames, RangeTest
from core.training.checkpoint import Checkpoint, Remembers
from core.training.device import compiles_with_xla, on_gpu
from core.training.losses import accuracy, cross_entropy, make_loss
from core.training.optimizers import make_optimizer
from core.training.pipeline import Batches, OrderOfEpoch, fed, steps_per_execution
from core.training.stopping import LowerOnPlateau, Patience, StopEarly, StopOnNan


@dataclass(frozen=True)
class Task:
    """What is trained on what. model: trains; net: its part that has layers to unfreeze, sharing weights.

    macs: multiply-accumulates of the model for one image. validation: may be empty.
    """

    config: ExperimentConfig
    model: keras.Model
    net: keras.Model
    macs: int
    training: Batches
    validation: Batches
    run: Length
    class_weight: dict[int, float] | None = None


def fit(task: Task, logger: EpochLogger, reporters: list[Callback], checkpoint: Checkpoint) -> int:
    """Train; afterwards the model has the weights that are kept. Returns the epoch they are of.

    Goes on from the checkpoint where there is one. A second stage starts from the best epoch of the first,
    and at once where early stopping ended that.
    """
    validates = len(task.validation.rows) > 0
    best = KeepBest() if task.config.training.keep == "best" and validates else None
    saved = checkpoint.read()
    done, begun, ended = 0, 0, False
    if saved:
        print(f"continuing after epoch {saved.epoch}")
    patient: dict[str, Patience] = {}
    for number, stage in enumerate(stages(task.config, task.run)):
        if stage.unfrozen:
            unfreeze(task.net)
        if saved and number < saved.stage:
            continue
        resumed = saved if saved and number == saved.stage else None
        if ended and not (stage.begins and stage.unfrozen):
            break  # stopped early: the short rest of the last epochs is left out too
        if not stage.begins and not resumed:
            resumed = checkpoint.read()  # the weights as the last step left them, neither best nor averaged
            assert resumed is not None  # the last epoch of a stage is always saved
        if stage.begins or resumed:
            if stage.unfrozen and stage.begins and not resumed:
                print(f"unfrozen after epoch {done}")
            begun = resumed.begun if resumed else done
            compile_stage(task, stage, begun)
            patient = dict(patience(task.config))
        remembering: dict[str, Remembers] = {"log": logger, **patient, **({"best": best} if best else {})}
        remembering |= {type(one).__name__: one for one in reporters if isinstance(one, RangeTest)}
        checkpoint.enter(number, begun, stage.end, remembering)
        if resumed:
            resumed.apply(task.model, remembering)
            done = resumed.epoch
        if done < stage.end and not has_stopped(patient):
            batches = task.training.starting(done, stage.steps)
            logger.images = batches.images_an_epoch
            history = task.model.fit(
                fed(batches),
                validation_data=fed(task.validation) if validates else None,
                initial_epoch=done,
                epochs=stage.end,
                verbose=0,
                shuffle=False,  # Batches do that, the same way for the same seed and epoch
                class_weight=task.class_weight,
                callbacks=[
                    LossNames(),  # first: the others read its names
                    OrderOfEpoch(batches),
                    logger,  # before the averages, whose measurement is no part of the speed of training
                    *averages(task.config, batches),
                    *reporters,
                    *([] if task.config.schedule.name == "range_test" else [StopOnNan()]),
                    *([best] if best else []),
                    *patient.values(),
                    checkpoint,
                ],
            )
            done = history.epoch[-1] + 1
        else:  # interrupted after its last epoch
            task.model.optimizer.finalize_variable_values(task.model.trainable_weights)
        if task.config.optimizer.ema and not validates:  # else measured when they were validated
            measure_statistics(task.model, task.training.starting(done))
        if best:
            best.give_to(task.model)
        ended = has_stopped(patient)
    return best.epoch if best and best.epoch else done


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
        if config.schedule.name == "range_test" or config.training.devices > 1  # Keras cannot do both
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
