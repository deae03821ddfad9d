"""Whatever stands in the address of a page, the page is drawn and says what it did not understand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.architectures import architectures
from core.config import ExperimentConfig
from core.tracking.store import get_store
from tests.fuzz import texts
from tests.fuzz.conftest import tries
from tests.support.homes import copy_store, stop_processes, using
from tests.support.pages import PAGES, opened

pytestmark = pytest.mark.slow

PARAMETERS = {
    "pages/1_Data.py": ("dataset", "look"),
    "pages/2_Train.py": (
        *(name.rpartition(".")[2] for name in texts.SETTINGS),
        *(f"{entry.name}.{option.name}" for entry in architectures for option in entry.options),
        *("dataset", "architectures", "optimizer", "schedule", "warmup", "seeds", "all_folds", "name"),
        *("weights_run", "weights_file", "declarative.layers"),
    ),
    "pages/3_Compare.py": (
        *("runs", "filter", "sort", "reverse", "group", "baseline", "table_page"),
        *("results", "settings_columns", "differing", "metrics"),
    ),
    "pages/7_Architectures.py": ("view", "net", "family", "data", "batch", "differing", "other"),
    "pages/8_Models.py": ("model", "version"),
    "pages/9_Studies.py": ("study", "recipe", "data", "sweep", "sweep_seeds", "sample", "search"),
}
VALUES = st.one_of(
    texts.words,
    texts.layer_lists,
    st.sampled_from(["declarative", "run", "file", "imagenet", "one", "true", "on"]),
)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[None]:
    """One run that has ended, without a model."""
    with using(tmp_path_factory.mktemp("addresses") / "home") as settings:
        copy_store(new_store, settings)
        run_id = get_store().create(ExperimentConfig())
        get_store().fail(run_id, "It was never trained.")
        yield
        stop_processes(settings)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_drawn_whatever_its_address_says(page: str) -> None:
    names = st.one_of(st.sampled_from(PARAMETERS.get(page, ("run",))), texts.words)
    several = st.one_of(VALUES, st.lists(VALUES, min_size=1, max_size=3))

    @given(st.dictionaries(names, several, min_size=1, max_size=6))
    @tries(2)
    def draw(query: dict[str, str | list[str]]) -> None:
        if page == "pages/2_Train.py":
            query = {"architectures": ["declarative"], **query}
        app = opened(page, **query)
        assert not app.exception, app.exception[0].message
        assert app.title

    draw()
