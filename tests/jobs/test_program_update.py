"""Processes that outlive an update of the program: the next request or queued run gets the new code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread

import psutil
import pytest

from core.architectures.description import Description
from core.inference import client
from core.inference.process import inference_code, inference_of
from core.inference.protocol import address_file, read_address, write_address
from core.jobs.worker import CodeWatch, WorkerSettings, worker_of
from core.system import code_version
from core.system.process_ids import is_alive
from core.system.settings import PROGRAM, Settings
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.engine]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the program that a test may change."""
    shutil.copytree(PROGRAM / "core", tmp_path / "program" / "core")
    return tmp_path / "program"


def update(program: Path, file: str) -> None:
    with (program / file).open("a") as source:
        source.write("\n# updated\n")


def holder(settings: Settings, daemon: str) -> str:
    path = settings.home / f"{daemon}.pid"
    return path.read_text() if path.exists() else ""


def pid_of(name: str) -> int:
    return int(name.rsplit(":", 2)[1])


def described(program: Path) -> Description:
    """Describe a model with the command line of a program; its prediction process builds the model."""
    answer = subprocess.run(
        [sys.executable, "-m", "core", "describe", "lenet5", "--json"],
        cwd=program,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Description.from_dict(json.loads(answer.stdout))


def test_an_update_replaces_prediction_process_and_worker(program: Path, settings: Settings) -> None:
    """A real program is changed under real processes; nobody ends or starts anything by hand."""
    worker = subprocess.Popen([sys.executable, "-m", "core", "worker"], cwd=program)
    try:
        wait_for(lambda: (settings.home / "worker.json").exists())
        before = holder(settings, "worker"), json.loads((settings.home / "worker.json").read_text())["code"]
        assert described(program).depth == 5
        first = holder(settings, "inference")
        assert described(program).depth == 5
        assert holder(settings, "inference") == first  # of the same code: the same process

        update(program, "core/inference/handlers.py")
        assert described(program).depth == 5
        assert holder(settings, "inference") != first
        wait_for(lambda: not is_alive(first))
        assert holder(settings, "worker") == before[0]  # it does not import what was changed

        update(program, "core/jobs/queue.py")
        worker.wait(60)
        wait_for(lambda: holder(settings, "worker") not in ("", before[0]))
        wait_for(lambda: json.loads((settings.home / "worker.json").read_text())["code"] != before[1])
    finally:
        worker.kill()
        worker.wait()


def test_a_process_of_other_code_finishes_what_it_was_asked(settings: Settings) -> None:
    client.describe(settings, "lenet5", None, None, {})
    first = holder(settings, "inference")
    found: list[Description] = []

    def describe_deep() -> None:
        found.append(client.describe(settings, "resnet_cifar", None, None, {"depth": 602}))

    asking = Thread(target=describe_deep)
    used = psutil.Process(pid_of(first)).cpu_times().user
    asking.start()
    wait_for(lambda: psutil.Process(pid_of(first)).cpu_times().user > used + 0.5)  # it builds
    address = read_address(settings)
    assert address is not None
    assert (address.code, address.process) == (inference_code(), first)
    write_address(settings, replace(address, code="of before"))

    assert client.describe(settings, "lenet5", None, None, {}).name == "lenet5"
    assert holder(settings, "inference") != first
    asking.join()
    assert [one.depth for one in found] == [602]
    wait_for(lambda: not is_alive(first))


def test_a_process_of_a_version_without_a_code_is_replaced_too(settings: Settings) -> None:
    client.describe(settings, "lenet5", None, None, {})
    first, address = holder(settings, "inference"), read_address(settings)
    assert address is not None
    older = {key: value for key, value in asdict(address).items() if key in ("port", "key")}
    address_file(settings).write_text(json.dumps(older))
    assert client.describe(settings, "lenet5", None, None, {}).name == "lenet5"
    assert holder(settings, "inference") != first
    wait_for(lambda: not is_alive(first))
    assert inference_of(settings).is_running()


def test_a_worker_is_outdated_once_an_update_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(("a", "a", "b", "c", "c", "c"))
    monkeypatch.setattr("core.jobs.worker.worker_code", lambda: next(versions))
    watch = CodeWatch("a")
    assert [watch.is_outdated() for _ in range(6)] == [False, False, False, False, True, True]


def test_a_worker_file_of_an_earlier_version_has_no_code(settings: Settings) -> None:
    (settings.home / "worker.json").write_text('{"executor": "local", "slots": ["cpu"]}')
    with worker_of(settings).hold():
        assert WorkerSettings.by_worker(settings) == WorkerSettings("local", ("cpu",), "")


def test_the_version_changes_with_files_of_the_packages_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core" / "ui").mkdir(parents=True)
    (tmp_path / "core" / "jobs" / "ui").mkdir(parents=True)
    monkeypatch.setattr(code_version, "PROGRAM", tmp_path)
    seen = [code_version.package_version(without=("ui",))]
    for name in ("core/one.py", "core/jobs/two.py", "core/jobs/ui/three.py"):
        (tmp_path / name).write_text("x = 1\n")
        seen.append(code_version.package_version(without=("ui",)))
    assert len(set(seen)) == 4
    (tmp_path / "core/ui/page.py").write_text("x = 1\n")
    (tmp_path / "core/notes.txt").write_text("no code")
    assert code_version.package_version(without=("ui",)) == seen[-1]
    assert code_version.package_version() != seen[-1]
