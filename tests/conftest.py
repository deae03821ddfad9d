"""What tests stand on: folders of their own with real stores, workers and trained runs in them."""

from __future__ import annotations

import gc
import os
import pickle
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.homes import SMALL, Trained, copy_store, snapshot, stop_processes, using

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if "PYTEST_XDIST_WORKER" in os.environ:  # every core has a test of its own already
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

from core.architectures.describe import Description, describe
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.boxes import bare_packages
from tests.support.dashboards import CHROMIUM, FLAGS
from tests.support.waiting import wait_for

ALL_MARKED = re.compile(r"^pytestmark = \[?pytest\.mark\.(\w+)", re.M)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import files of which `-m "not A and not B"` takes no test: most of them import TensorFlow.

    Nor the `conftest.py` of a folder that has no other files: Hypothesis takes a second.
    """
    if not re.fullmatch(r"not \w+( and not \w+)*", config.option.markexpr):
        return None
    excluded = config.option.markexpr.removeprefix("not ").split(" and not ")
    files = list(collection_path.rglob("test_*.py")) if collection_path.is_dir() else [collection_path]
    return True if files and all(_is_marked(file, excluded) for file in files) else None


def _is_marked(file: Path, marks: list[str]) -> bool:
    """Whether all tests of a file have one of some marks."""
    marked = ALL_MARKED.search(file.read_text(encoding="utf-8")) if file.suffix == ".py" else None
    return marked is not None and marked[1] in marks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a trained run as `engine`, Chromium as `browser`, a model that is built as `slow`."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if {"trained", "own"} & fixtures:
            item.add_marker(pytest.mark.engine)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if "described" in fixtures:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def set_aside() -> None:
    """Keep the collector from what earlier modules left: Streamlit and Keras collect garbage all the time.

    With TensorFlow and its models in the process a collection takes 0.1 s, and a page makes forty.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once for all test processes together, each thing under a lock of its own."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def described(shared: Path) -> Callable[..., Description]:
    """`described(name, **options)`: the model at its native input and class count.

    Built once for all test processes together: building the large models is what takes the time.
    """

    @cache
    def read(name: str, **options: Any) -> Description:
        file = shared / f"{name}-{sha256(repr(sorted(options.items())).encode()).hexdigest()[:16]}.pickle"
        with FileLock(f"{file}.lock"):
            if not file.exists():
                file.write_bytes(pickle.dumps(describe(name, **options)))
        return pickle.loads(file.read_bytes())

    return read


@pytest.fixture(scope="session")
def new_store(shared: Path) -> Path:
    """The database of a store as the program creates it, to be copied: MLflow takes seconds to make one."""
    file = shared / "new.db"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            with using(shared / "new") as found:
                get_store()
                snapshot(found, file)
    return file


@pytest.fixture
def empty_home(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home that does not exist yet; whatever is started there ends with the test."""
    with using(tmp_path / "home") as found:
        yield found
        stop_processes(found)


@pytest.fixture
def settings(empty_home: Settings, new_store: Path) -> Settings:
    """Settings of a home with a new store in it."""
    copy_store(new_store, empty_home)
    return empty_home


@pytest.fixture
def with_spare(empty_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trainings are forked from a spare process, as for users: what starts them, and ends, is tested so."""
    monkeypatch.delenv("ARCHLAB_SPARE_MINUTES")
    settings_module.get_settings.cache_clear()
    yield
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


@pytest.fixture
def store(settings: Settings) -> RunStore:
    """A real, empty MLflow store."""
    return get_store()


@pytest.fixture(scope="session")
def first_trained(shared: Path, new_store: Path) -> tuple[Path, Path]:
    """A home with one trained run and its database, made once for all test processes, to be copied only."""
    home, file = shared / "trained", shared / "trained.db"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            shutil.rmtree(home, ignore_errors=True)  # of a process whose training did not end in time
            with using(home) as found:
                copy_store(new_store, found)
                try:
                    (run_id,) = launch([SMALL], {schema.RECIPE: "none"})
                    wait_for(lambda: not get_store().state(run_id).active)
                finally:
                    stop_processes(found)
                snapshot(found, file)
    return home, file


@contextmanager
def _copied(first: tuple[Path, Path], folder: Path) -> Iterator[Trained]:
    """A copy of the trained run's home, with processes of its own that end with the block."""
    home, database = first
    processes = shutil.ignore_patterns("mlflow.db*", "*.pid", "*.lock", "*.sock")
    with using(folder) as found:
        shutil.copytree(home, folder, ignore=processes)
        copy_store(database, found)
        (run_id,) = frames.run_ids(get_store())
    try:
        yield Trained(found, run_id)
    finally:
        stop_processes(found)


@pytest.fixture(scope="session")
def _trained(first_trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with _copied(first_trained, tmp_path_factory.mktemp("trained") / "home") as found:
        yield found


@pytest.fixture
def trained(_trained: Trained) -> Iterator[Trained]:
    """One finished run of `lenet5` on the digits, two epochs, shared by the tests that only look at it."""
    with using(_trained.settings.home):
        before = frames.run_ids(get_store())
        yield _trained
        assert frames.run_ids(get_store()) == before, "a test that adds runs has the fixture `own`"


@pytest.fixture
def own(first_trained: tuple[Path, Path], tmp_path: Path) -> Iterator[Trained]:
    """The trained run in a home of the test alone, which may launch, delete and damage."""
    with _copied(first_trained, tmp_path / "home") as found, using(found.settings.home):
        yield found


@pytest.fixture(scope="session")
def bare_onnxruntime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with onnxruntime and numpy, what they need, and nothing else."""
    return bare_packages(tmp_path_factory.mktemp("bare") / "packages", "onnxruntime", "numpy")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and in CI the browser tests must run.")
        pytest.skip("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()
