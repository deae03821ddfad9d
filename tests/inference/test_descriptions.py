"""A model is described once: the second read asks nobody, and whatever it depends on makes it another."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest

from core.architectures import architectures
from core.inference import background, client, descriptions
from core.inference.client import Caller, InferenceError
from core.inference.descriptions import ModelRequest
from core.inference.process import inference_of
from core.inference.protocol import address_file
from core.system import settings as settings_module
from core.system.settings import Settings
from tests.support.homes import Trained
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

LENET = ModelRequest("lenet5")
SMALL_RESNET = ModelRequest("resnet_cifar", (32, 32, 3), 10, {"depth": 8})


def test_the_second_read_does_not_ask_the_process(trained: Trained, tmp_path: Path) -> None:
    first = descriptions.describe(trained.settings, SMALL_RESNET)
    assert first.layers
    elsewhere = replace(trained.settings, home=tmp_path / "home")  # where no process was ever started
    elsewhere.cache.parent.mkdir()
    elsewhere.cache.symlink_to(trained.settings.cache)
    assert descriptions.describe(elsewhere, SMALL_RESNET) == first
    assert not address_file(elsewhere).exists()


def test_what_it_depends_on_makes_it_another(trained: Trained) -> None:
    descriptions.describe(trained.settings, SMALL_RESNET)
    changed = [
        replace(SMALL_RESNET, options={"depth": 14}),
        replace(SMALL_RESNET, input_shape=(40, 40, 3)),
        replace(SMALL_RESNET, num_classes=11),
    ]
    assert [descriptions.cached(trained.settings, request) for request in changed] == [None] * 3
    deeper = descriptions.describe(trained.settings, changed[0])
    known = descriptions.cached(trained.settings, SMALL_RESNET)
    assert known is not None
    assert deeper.depth > known.depth


def test_defaults_that_are_given_are_the_same_request(trained: Trained) -> None:
    entry = architectures.get("resnet_cifar")
    defaults = {option.name: option.default for option in entry.options}
    given = ModelRequest("resnet_cifar", entry.input_shape, entry.num_classes, defaults)
    assert given.complete() == ModelRequest("resnet_cifar").complete()


def test_a_changed_file_makes_another(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.own_models import NET

    (tmp_path / "mine.py").write_text(NET.replace("NAME", "mine"))
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(tmp_path))
    settings_module.get_settings.cache_clear()
    before = descriptions.cache_file(settings, ModelRequest("mine"))
    assert descriptions.cache_file(settings, ModelRequest("mine")) == before
    (tmp_path / "mine.py").write_text(NET.replace("NAME", "mine") + "\n# changed\n")
    assert descriptions.cache_file(settings, ModelRequest("mine")) != before
    (tmp_path / "mine.py").unlink()


def test_what_a_model_cannot_take_is_said_before_anybody_is_asked(settings: Settings) -> None:
    with pytest.raises(ValueError, match="vgg16 needs images of at least"):
        descriptions.describe(settings, ModelRequest("vgg16", (8, 8, 3)))
    assert not address_file(settings).exists()


def test_many_are_described_in_the_background(trained: Trained) -> None:
    wanted = [LENET, ModelRequest("conv3"), ModelRequest("vgg16", (8, 8, 3))]
    working = background.describe_all(trained.settings, wanted, "test")
    assert background.describe_all(trained.settings, wanted, "test") in (
        working,
        background.progress_of(trained.settings, "test"),
    )
    wait_for(lambda: not background.progress_of(trained.settings, "test").running)  # type: ignore[union-attr]
    assert descriptions.cached(trained.settings, LENET) is not None
    assert descriptions.cached(trained.settings, wanted[1]) is not None
    assert (working.done, working.total) == (3, 3)
    assert list(working.problems) == ["vgg16"]


def test_it_outlives_the_process_that_made_it(trained: Trained) -> None:
    made = descriptions.describe(trained.settings, LENET)
    assert inference_of(trained.settings).stop()
    assert descriptions.cached(trained.settings, LENET) == made


def test_another_batch_size_is_worked_out_and_adds_no_file(trained: Trained) -> None:
    from core.architectures.describe import describe as describe_here

    descriptions.describe(trained.settings, LENET)
    folder = descriptions.cache_file(trained.settings, LENET).parent
    before = sorted(folder.iterdir())
    for batch in (1, 7, 512):
        found = descriptions.describe(trained.settings, ModelRequest("lenet5", batch_size=batch))
        assert found.memory == describe_here("lenet5", batch_size=batch).memory
    assert sorted(folder.iterdir()) == before


def test_the_cache_of_descriptions_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "KEPT", 4)
    for number in range(5):
        (tmp_path / f"{number}.json").write_text("{}")
        os.utime(tmp_path / f"{number}.json", (number, number))
    descriptions._forget_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.json", "4.json"]


def test_a_damaged_description_is_made_again(trained: Trained) -> None:
    made = descriptions.describe(trained.settings, LENET)
    descriptions.cache_file(trained.settings, LENET).write_text("{")
    assert descriptions.cached(trained.settings, LENET) is None
    assert descriptions.describe(trained.settings, LENET) == made


def test_a_model_that_takes_long_to_build_keeps_no_prediction_waiting(trained: Trained) -> None:
    from core.inference.client import predict
    from tests.support.images import png

    blank = png(np.zeros((28, 28, 1), "uint8"))
    before = predict(trained.settings, trained.run_id, [blank])
    deep = ModelRequest("resnet_cifar", options={"depth": 1202})
    building = Thread(target=descriptions.describe, args=(trained.settings, deep))
    building.start()
    assert predict(trained.settings, trained.run_id, [blank]) == before
    assert building.is_alive()
    building.join()


def test_a_request_that_the_process_died_of_is_asked_again(settings: Settings) -> None:
    descriptions.describe(settings, LENET)  # so that the process runs
    process = psutil.Process(int((settings.home / "inference.pid").read_text().rsplit(":", 2)[1]))
    left: list[bool] = []
    asking = background.Latest(settings, Caller("visit", lambda: bool(left)))
    used, deep = process.cpu_times().user, ModelRequest("resnet_cifar", options={"depth": 1202})
    assert asking.ask("layers", deep) == ""
    wait_for(lambda: process.cpu_times().user > used + 1)  # it builds
    process.kill()
    wait_for(lambda: asking._current is None)
    assert asking.ask("layers", deep) == ""
    assert asking._current == ("layers", deep)
    left.append(True)
    wait_for(lambda: asking._current is None)


SLOW = """
from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")


def slow(input_shape, num_classes):
    import time
    from pathlib import Path

    with Path("FOLDER/built").open("a") as file:
        file.write(f"{num_classes} ")
    while not Path("FOLDER/gate").exists():
        time.sleep(0.05)
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(num_classes, activation="softmax")(x), name="slow")


architectures.register(Architecture(
    name="slow", family="Mine", build=slow, input_shape=(28, 28, 1), num_classes=10, min_size=3,
    card=Card(title="It waits", authors="me", year=2026, paper="none", summary="One layer."),
))
"""


def test_what_nobody_waits_for_any_more_is_not_built(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, built = tmp_path / "own", tmp_path / "built"
    own.mkdir()
    (own / "slow.py").write_text(SLOW.replace("FOLDER", str(tmp_path)))
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(own))
    settings_module.get_settings.cache_clear()
    first = Thread(target=client.describe, args=(settings, "slow", (28, 28, 1), 2, {}))
    first.start()
    wait_for(built.exists)
    with pytest.raises(InferenceError, match="cancelled"):
        client.describe(settings, "slow", (28, 28, 1), 3, {}, caller=Caller(has_left=lambda: True))

    left: list[bool] = []
    looking = background.Latest(settings, Caller("looking"))
    gone = background.Latest(settings, Caller("gone", lambda: bool(left)))
    requests = [ModelRequest("slow", (28, 28, 1), classes) for classes in range(4, 9)]
    for request in requests[:3]:  # only the last one is looked at
        assert looking.ask("form", request) == ""
    gone.ask("form", requests[3])
    gone.ask("forecast", requests[4])
    left.append(True)
    wait_for(lambda: looking._current == ("form", requests[2]) and gone._current is None)
    (tmp_path / "gate").touch()
    wait_for(lambda: descriptions.cached(settings, requests[2]) is not None)
    first.join()
    assert built.read_text() == "2 6 "


def test_of_one_visit_one_model_is_built_at_a_time() -> None:
    from core.inference.onnx_models import open_model
    from core.inference.server import Server

    server = Server(b"key", open_model, has_keras=False)
    held = server._of_visit("one")
    assert server._of_visit("one") is held
    assert server._of_visit("another") is not held
    assert server._of_visit("") is not server._of_visit("")
    del held
    assert list(server._visits) == []  # of a visit that waits for nothing nothing stays
