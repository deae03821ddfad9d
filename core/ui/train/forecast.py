"""What a launch would take, said before it: memory, and the learning rate over the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.architectures.description import Description
from core.config import ExperimentConfig
from core.datasets import DatasetInfo, choices
from core.figures import rate_schedule
from core.inference import descriptions
from core.inference.descriptions import ModelRequest
from core.inference.process import inference_of
from core.jobs.slots import Slots, slots_of
from core.system import devices
from core.system.memory import MARGIN, Memory
from core.system.settings import get_settings
from core.system.units import byte_size
from core.ui.common.chart import chart
from core.ui.common.visitor import latest

LIVE_S = 1.0


def rate_curve(config: ExperimentConfig, info: DatasetInfo) -> None:
    """The schedule as a curve, where there is one."""
    if config.schedule.name == "constant" and not config.schedule.warmup_epochs:
        return
    images, _ = choices.sizes(info, config.data)
    chart(rate_schedule.draw(rate_schedule.collect(config, images)), "rate-curve")
    if config.schedule.plateau_patience:
        st.caption("A plateau lowers the rate further.")


def memory_forecast(configs: list[ExperimentConfig], info: DatasetInfo) -> None:
    """How much memory each run takes, and a warning where less is free; counted in the background."""
    settings = get_settings()
    known = all(descriptions.cached(settings, request(config, info)) for config in configs)
    if known or inference_of(settings).is_running():  # it is started with the dashboard
        st.fragment(_memory, run_every=None if known else LIVE_S)(configs, info)


def heaviest(configs: Sequence[ExperimentConfig], infos: Mapping[str, DatasetInfo]) -> list[ExperimentConfig]:
    """Return of all trainings of the same model on images of the same size the one that takes most memory.

    Args:
        infos: Datasets by their names; trainings on others are left out.
    """
    found: dict[str, ExperimentConfig] = {}
    for config in configs:
        if (info := infos.get(config.data.name)) is None:
            continue
        before = found.setdefault(repr(request(config, info)), config)
        if _weight(config) > _weight(before):
            found[repr(request(config, info))] = config
    return [*found.values()]


def _weight(config: ExperimentConfig) -> tuple[int, float]:
    return config.training.images_per_step, config.optimizer.state_per_weight


def memory_forecasts(configs: Sequence[ExperimentConfig], infos: Sequence[DatasetInfo]) -> None:
    """How much memory several trainings take, of each kind the largest, on the dataset of each."""
    by_name = {info.name: info for info in infos}
    shown = heaviest(configs, by_name)
    for name in dict.fromkeys(config.data.name for config in shown):
        memory_forecast([config for config in shown if config.data.name == name], by_name[name])


def request(config: ExperimentConfig, info: DatasetInfo) -> ModelRequest:
    """The model of a config as it is described; a head of another kind takes about as much."""
    from core.architectures.transfer import model_input_shape

    shape = model_input_shape(config.model, choices.cropped_shape(config, info.shape))
    return ModelRequest(config.model.name, shape, info.num_classes, dict(config.model.options))


def _memory(configs: list[ExperimentConfig], info: DatasetInfo) -> None:
    settings = get_settings()
    slots = slots_of(settings)
    told = False
    for config in configs:
        taken = Slots(slots).take(config.training.devices, config.training.device) or slots[:1]
        free = devices.free_memory(",".join(taken), settings.memory, slots.count(taken[0]))
        wanted = request(config, info)
        description = descriptions.cached(settings, wanted)
        if description is None:
            latest().ask(f"forecast {wanted}", wanted)
            continue
        memory = estimate(description, config)
        if memory.total > MARGIN * free:
            fits = memory.fitting(free)
            advice = f"A batch size of {fits} would fit." if fits else "No smaller batch size would fit."
            st.warning(
                f"{config.model.name}: training takes about {byte_size(memory.total)} of memory at batch "
                f"size {config.training.images_per_step}, {byte_size(free)} are free. {advice}",
                icon=":material/memory_alt:",
            )
        else:
            st.caption(
                f"{config.model.name}: training takes about {byte_size(memory.total)} of memory at batch "
                f"size {config.training.images_per_step}."
            )
        told = True
    if told:
        st.caption(descriptions.PROCESS_MEMORY)


def estimate(description: Description, config: ExperimentConfig) -> Memory:
    """The memory of a training from a model's description, at the config's batch size and optimizer."""
    found = description.memory
    others = found.optimizer // max(1, found.gradients)  # per weight, as the description counted
    state = (config.optimizer.state_per_weight - others) * found.gradients
    fixed = found.total - found.batch_size * found.per_image + state
    part = config.training
    return Memory(fixed * part.devices, found.per_image, part.images_per_step, part.devices)
